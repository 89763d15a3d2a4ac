/** The notes on the chart as a list, to read, write and take away. */
import { useState } from "preact/hooks";
import { ApiError, type Client } from "../api/client";
import type { Annotation } from "../api/types";
import { clock, day } from "../format";
import { Dialog } from "./dialog";

interface Props {
  client: Client;
  site: string;
  notes: Annotation[];
  /** May take away notes of all readers. */
  mayShare: boolean;
  /** May write at all. */
  mayWrite: boolean;
  onWrite: () => void;
  onChanged: () => void;
  onClose: () => void;
}

export function Notes({ client, site, notes, mayShare, mayWrite, onWrite, onChanged, onClose }: Props) {
  const [problem, setProblem] = useState<string | null>(null);
  const remove = async (id: number) => {
    try {
      await client.call("DELETE", `/api/annotations/${id}?site_id=${encodeURIComponent(site)}`);
      setProblem(null);
      onChanged();
    } catch (cause) {
      setProblem(cause instanceof ApiError ? cause.message : String(cause));
    }
  };
  return (
    <Dialog title="Notes" about="What stands on the chart, the newest first." onClose={onClose}>
      {notes.length === 0 && <p class="empty">Nothing is noted yet.</p>}
      <ul class="notes" aria-label="Notes">
        {notes.map((note) => (
          <li key={note.id}>
            <time dateTime={note.at}>{momentText(note.at)}</time>
            <span class="notes-text">
              {note.note} {note.type === "personal" && <span class="tag">only you</span>}
            </span>
            {mayWrite && (note.type === "personal" || mayShare) && (
              <button type="button" class="plain" onClick={() => remove(note.id)}>
                Delete<span class="hidden"> {note.note}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
      <p class="problem" role="alert">
        {problem}
      </p>
      {mayWrite && (
        <div class="dialog-foot">
          <button type="button" class="primary" onClick={onWrite}>
            Write a note
          </button>
        </div>
      )}
    </Dialog>
  );
}

function momentText(at: string): string {
  const date = day(at.slice(0, 10), { day: "numeric", month: "short", year: "numeric" });
  return at.length > 10 ? `${date}, ${clock(at.slice(11, 16))}` : date;
}
