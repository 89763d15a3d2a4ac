/** How long the chart's buckets are, and which lengths suit a period. */
import type { Period, Range } from "./period";
import { daysBetween } from "./zone";

export type Interval = "minute" | "15min" | "hour" | "day" | "week" | "month";

export const INTERVAL_NAMES: Record<Interval, string> = {
  minute: "minute",
  "15min": "15 minutes",
  hour: "hour",
  day: "day",
  week: "week",
  month: "month",
};

/** The lengths a reader can choose, the usual one first. */
export function intervals(period: Period, range: Range): [Interval, ...Interval[]] {
  if (period.kind === "realtime") return ["minute"];
  if (range.from === null) return ["month", "week", "day"];
  const days = period.kind === "24h" ? 1 : daysBetween(range.from, range.to) + 1;
  if (days <= 1) return ["hour", "15min"];
  if (days <= 13) return ["day", "hour"];
  if (days <= 31) return ["day", "hour", "week"];
  if (days <= 100) return ["day", "week", "month"];
  if (days <= 400) return ["week", "day", "month"];
  return ["month", "week"];
}

/** The length to use: the wanted one where it suits. */
export function intervalOf(wanted: Interval | null, period: Period, range: Range): Interval {
  const offered = intervals(period, range);
  return wanted !== null && offered.includes(wanted) ? wanted : offered[0];
}

/** Whether a text names a length. */
export function isInterval(text: string | null): text is Interval {
  return text !== null && Object.hasOwn(INTERVAL_NAMES, text);
}
