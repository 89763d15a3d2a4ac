/** Says up to when the figures are complete, and which revision of the data they are. */
import { count, day, duration } from "../format";
import { type Health, LATE_AFTER_MS } from "../state/health";
import { wallClock } from "../state/zone";

interface Props {
  health: Health | null;
  zone: string;
  now: number;
  /** The last refresh failed, with this text. */
  problem: string | null;
}

export function HealthLine({ health, zone, now, problem }: Props) {
  if (problem) {
    return (
      <p class="health health-bad">
        <span class="dot dot-bad" aria-hidden="true" />
        {problem}
      </p>
    );
  }
  if (!health || health.watermark === null) return <p class="health" />;
  const late = now - health.watermark > LATE_AFTER_MS;
  return (
    <p class="health" title="Everything received before this moment is in the figures.">
      <span class={late ? "dot dot-late" : "dot dot-good"} aria-hidden="true" />
      <span>
        Complete to{" "}
        <time dateTime={new Date(health.watermark).toISOString()}>
          {clockText(health.watermark, zone, now)}
        </time>
        {late && ` (${duration(Math.floor((now - health.watermark) / 60_000) * 60)} behind)`}
        {health.revisions && (
          <span class="health-revision"> · revision {revisionText(health.revisions)}</span>
        )}
      </span>
    </p>
  );
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
