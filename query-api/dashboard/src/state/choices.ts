/** The periods the picker offers, each with the key that chooses it. */
import type { Period } from "./period";
import { addDays, monthStart } from "./zone";

export interface Choice {
  label: string;
  key: string;
  period: Period;
}

/** In the groups the picker shows; `today` is the site's local day. */
export function choices(today: string): Choice[][] {
  return [
    [
      { label: "Today", key: "D", period: { kind: "day", date: null } },
      { label: "Yesterday", key: "E", period: { kind: "day", date: addDays(today, -1) } },
      { label: "Last 30 minutes", key: "R", period: { kind: "realtime" } },
      { label: "Last 24 hours", key: "H", period: { kind: "24h" } },
    ],
    [
      { label: "Last 7 days", key: "W", period: { kind: "7d" } },
      { label: "Last 28 days", key: "F", period: { kind: "28d" } },
      { label: "Last 30 days", key: "T", period: { kind: "30d" } },
      { label: "Last 91 days", key: "N", period: { kind: "91d" } },
    ],
    [
      { label: "This month", key: "M", period: { kind: "month", date: null } },
      { label: "Last month", key: "P", period: { kind: "month", date: monthStart(today, -1) } },
      { label: "This year", key: "Y", period: { kind: "year", date: null } },
    ],
    [
      { label: "Last 6 months", key: "S", period: { kind: "6mo" } },
      { label: "Last 12 months", key: "L", period: { kind: "12mo" } },
      { label: "All time", key: "A", period: { kind: "all" } },
    ],
  ];
}

/** The choice a key makes. */
export function choiceOfKey(key: string, today: string): Choice | undefined {
  return choices(today)
    .flat()
    .find((choice) => choice.key === key.toUpperCase());
}
