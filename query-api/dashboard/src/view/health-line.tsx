/** Says up to when the figures are complete, and which revision of the data they are. Leads to the ledger. */
import { count, day, duration } from "../format";
import { type Health, LATE_AFTER_MS } from "../state/health";
import { wallClock } from "../state/zone";
import type { Account } from "./use-ledger";

interface Props {
  health: Health | null;
  account: Account | null;
  zone: string;
  now: number;
  /** The revision that the address pins. */
  pinned: string | null;
  /** The last refresh failed, with this text. */
  problem: string | null;
  onOpen: () => void;
  onUnpin: () => void;
}

export function HealthLine(props: Props) {
  const { health, account, zone, now, problem } = props;
  if (problem) {
    return (
      <div class="health health-bad">
        <span class="dot dot-bad" aria-hidden="true" />
        <span>{problem}</span>
        <Pinned {...props} />
      </div>
    );
  }
  if (!health || health.watermark === null) return <p class="health" />;
  const late = now - health.watermark > LATE_AFTER_MS;
  const isBad = account !== null && account.lost > 0;
  const partial = health.missing.length > 0;
  const dot = isBad ? "dot-bad" : late || partial ? "dot-late" : "dot-good";
  return (
    <div class="health">
      <button type="button" class="health-open" onClick={props.onOpen} title="Open the ledger">
        <span class={`dot ${dot}`} aria-hidden="true" />
        <span>
          {partial && <strong class="health-partial">Without {health.missing.join(", ")} · </strong>}
          Complete to{" "}
          <time dateTime={new Date(health.watermark).toISOString()}>
            {clockText(health.watermark, zone, now)}
          </time>
          {late && ` (${duration(Math.floor((now - health.watermark) / 60_000) * 60)} behind)`}
          {health.openHours > 0 && (
            <span class="wide-only">
              {" · "}
              {openText(health.openHours)}
            </span>
          )}
          {account && (
            <>
              {" · "}
              <span class={isBad ? "health-lost" : ""}>
                {count(account.lost)} lost of {count(account.accepted)}
              </span>
            </>
          )}
          {health.revisions && (
            <span class="wide-only">
              {" · "}revision {revisionText(health.revisions)}
            </span>
          )}
        </span>
      </button>
      <Pinned {...props} />
    </div>
  );
}

/** The way from a revision that the address pins to the newest. */
function Pinned({ pinned, onUnpin }: Props) {
  if (pinned === null) return null;
  return (
    <button type="button" class="tag tag-button" onClick={onUnpin}>
      {pinned === "shadow" ? "A replay's figures" : `Held at revision ${pinned}`} · show the newest
    </button>
  );
}

/** The API lists 48 open hours at most. */
function openText(hours: number): string {
  return hours >= 48
    ? "48 or more hours may still change"
    : `${hours} ${hours === 1 ? "hour" : "hours"} may still change`;
}

function clockText(moment: number, zone: string, now: number): string {
  const there = wallClock(moment, zone);
  const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", timeZone: zone }).format(moment);
  if (there.date === wallClock(now, zone).date) return time;
  return `${day(there.date, { day: "numeric", month: "short", year: "numeric" })}, ${time}`;
}

function revisionText([first, last]: [number, number]): string {
  return first === last ? count(first) : `${count(first)} to ${count(last)}`;
}
