/** Turns the rows of a time query into a gapless series of buckets. */
import type { ResultRow } from "../api/types";
import type { Range } from "../state/period";
import { addDays, hoursOfDay, startOfDay } from "../state/zone";
import type { MetricName } from "./metrics";

/** One hour or day of the chart. */
export interface Bucket {
  /** As the API labels it: `YYYY-MM-DD` or `YYYY-MM-DD HH:00:00`. */
  label: string;
  values: Record<MetricName, number | null>;
  /** Figures may still rise: its end lies after the watermark. */
  open: boolean;
  /** Lies wholly ahead: it has no figures yet. */
  ahead: boolean;
}

/** "All time" shows at least this many days, so that a young site has a line. */
const ALL_DAYS_MIN = 7;

/**
 * The buckets of a range, missing ones filled in: counts with 0, means with none.
 * `complete` is the watermark, or the present moment where it is not known.
 */
export function buildSeries(
  rows: ResultRow[],
  metrics: MetricName[],
  range: Range,
  zone: string,
  now: number,
  complete: number,
): Bucket[] {
  const byLabel = new Map(rows.map((row) => [row.dimensions[0] ?? "", row]));
  return slots(rows, range, zone).map(({ label, start, end }) => ({
    label,
    values: valuesOf(byLabel.get(label), metrics),
    open: start <= now && end > complete,
    ahead: start > now,
  }));
}

function slots(
  rows: ResultRow[],
  range: Range,
  zone: string,
): { label: string; start: number; end: number }[] {
  const from = range.from ?? firstDay(rows, range.to);
  if (range.bucket === "hour") return hoursOfDay(from, zone);
  const days: { label: string; start: number; end: number }[] = [];
  let start = startOfDay(from, zone);
  for (let date = from; date <= range.to; date = addDays(date, 1)) {
    const end = startOfDay(addDays(date, 1), zone);
    days.push({ label: date, start, end });
    start = end;
  }
  return days;
}

function firstDay(rows: ResultRow[], to: string): string {
  let first = addDays(to, 1 - ALL_DAYS_MIN);
  for (const row of rows) {
    const date = row.dimensions[0]?.slice(0, 10);
    if (date && date < first) first = date;
  }
  return first;
}

function valuesOf(row: ResultRow | undefined, metrics: MetricName[]): Bucket["values"] {
  const values: Bucket["values"] = {
    visitors: 0,
    visits: 0,
    pageviews: 0,
    views_per_visit: null,
    bounce_rate: null,
    visit_duration: null,
  };
  if (!row) return values;
  metrics.forEach((metric, index) => {
    values[metric] = row.metrics[index] ?? null;
  });
  if (!metrics.includes("views_per_visit") && values.visits && values.pageviews !== null) {
    values.views_per_visit = values.pageviews / values.visits;
  }
  return values;
}
