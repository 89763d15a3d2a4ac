/** Asks for one line of text, and for whom it is kept: names of segments, notes on the chart. */
import { useRef, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { Dialog } from "./dialog";

interface Props {
  title: string;
  about: string;
  label: string;
  action: string;
  maxLength: number;
  /** May keep it for all readers of the site. */
  mayShare: boolean;
  onSave: (text: string, type: "personal" | "site") => Promise<void>;
  onClose: () => void;
}

export function NameForm(props: Props) {
  const field = useRef<HTMLInputElement>(null);
  const shared = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    const text = field.current?.value.trim() ?? "";
    if (text === "") return setProblem("Write something first.");
    setBusy(true);
    try {
      await props.onSave(text, shared.current?.checked ? "site" : "personal");
      props.onClose();
    } catch (cause) {
      setBusy(false);
      setProblem(cause instanceof ApiError ? cause.message : String(cause));
    }
  };
  return (
    <Dialog title={props.title} about={props.about} onClose={props.onClose}>
      <form class="filter-form" onSubmit={submit} noValidate>
        <label for="name-text">{props.label}</label>
        <input
          id="name-text"
          autofocus
          ref={field}
          type="text"
          maxLength={props.maxLength}
          autocomplete="off"
        />
        <p class="problem" role="alert">
          {problem}
        </p>
        {props.mayShare && (
          <label class="choice">
            <input type="checkbox" ref={shared} />
            <span>For everybody who reads this site</span>
          </label>
        )}
        <div class="dialog-foot">
          <button type="button" class="button" onClick={props.onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={busy}>
            {props.action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
