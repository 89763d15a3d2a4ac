/** What the overview asks of each site, and what it makes of the answers. */
import type { QueryBody } from "../api/types";

/** Sites that are asked for together: two queries each, of the forty that one request takes. */
export const SITES_AT_A_TIME = 20;

/** An answer of the batch: figures, or why there are none. */
export type BatchAnswer =
  | {
      results: {
        metrics: (number | null)[];
        dimensions: (string | null)[];
        comparison?: { metrics: (number | null)[] };
      }[];
      meta?: { time_labels?: string[]; regions_missing?: string[] };
    }
  | { error: string };

/** The figures of one site over four weeks. */
export interface Glance {
  visitors: number;
  /** Of the four weeks before. */
  before: number | null;
  /** Visitors by day, oldest first. */
  days: number[];
  /** Visitors of the last five minutes. */
  present: number | null;
  /** Regions that did not answer: their visitors are not in the figures. */
  missing: string[];
}

/** Totals compared with the period before, and visitors by day. */
export function queriesOf(site: string): [QueryBody, QueryBody] {
  const common = { site_id: site, metrics: ["visitors"], date_range: "28d" };
  return [
    { ...common, include: { comparisons: { mode: "previous_period" } } } as unknown as QueryBody,
    { ...common, dimensions: ["time:day"], include: { time_labels: true } },
  ];
}

/** Both answers as figures; null when one of them is a refusal. */
export function glanceOf(
  totals: BatchAnswer | undefined,
  byDay: BatchAnswer | undefined,
  present: unknown,
): Glance | null {
  if (!totals || !byDay || "error" in totals || "error" in byDay) return null;
  const row = totals.results[0];
  const days = new Map(byDay.results.map((one) => [one.dimensions[0], one.metrics[0] ?? 0]));
  const labels = byDay.meta?.time_labels ?? [...days.keys()];
  return {
    visitors: row?.metrics[0] ?? 0,
    before: row?.comparison?.metrics[0] ?? null,
    days: labels.map((label) => days.get(label) ?? 0),
    present: typeof present === "number" ? present : null,
    missing: totals.meta?.regions_missing ?? [],
  };
}

/** By how much of the former value the present one is more or less; null where nothing was before. */
export function change(now: number, before: number | null): number | null {
  return before === null || before === 0 ? null : (now - before) / before;
}
