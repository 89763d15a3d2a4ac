/** Turns the answer of a time query into the buckets of the chart. */
import type { QueryAnswer, ResultRow } from "../api/types";
import type { Interval } from "../state/interval";
import { addDays, momentOf, monthStart, startOfDay } from "../state/zone";
import { moneyOf, numberOf } from "./cells";
import type { MetricName } from "./metrics";

/** One stretch of time on the chart. */
export interface Bucket {
  /** As the API labels it: `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS`. */
  label: string;
  values: Partial<Record<MetricName, number | null>>;
  /** The bucket it is compared with, where there is one. */
  before: { label: string; values: Bucket["values"] } | null;
  /** It has not ended: figures will rise. */
  unfinished: boolean;
  /** Events of it may still be on their way. */
  open: boolean;
  /** Lies wholly ahead: it has no figures yet. */
  ahead: boolean;
}

/** What the buckets have in common. */
export interface Series {
  buckets: Bucket[];
  interval: Interval;
  compared: boolean;
  /** Currency of amounts. */
  currency: string | null;
}

const MINUTES: Partial<Record<Interval, number>> = { minute: 1, "15min": 15, hour: 60 };

/** The end of a bucket that begins with this label. */
export function endOf(label: string, interval: Interval, zone: string): number {
  const minutes = MINUTES[interval];
  if (minutes !== undefined) return momentOf(label, zone) + minutes * 60_000;
  const date = label.slice(0, 10);
  if (interval === "day") return startOfDay(addDays(date, 1), zone);
  if (interval === "month") return startOfDay(monthStart(date, 1), zone);
  // Weeks begin on Monday, the first one with the range.
  const weekday = (new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7;
  return startOfDay(addDays(date, 7 - weekday), zone);
}

/** The buckets of an answer with `time_labels`; counts that are missing are 0, means are none. */
export function buildSeries(
  answer: QueryAnswer,
  metrics: string[],
  interval: Interval,
  zone: string,
  now: number,
): Series {
  const byLabel = new Map(answer.results.map((row) => [row.dimensions[0] ?? "", row]));
  const labels = answer.meta.time_labels ?? [...byLabel.keys()];
  const openFrom = Math.min(...(answer.meta.open_hours ?? []).map((hour) => Date.parse(hour)));
  let compared = false;
  const buckets = labels.map((label): Bucket => {
    const row = byLabel.get(label);
    const start = momentOf(label, zone);
    const end = endOf(label, interval, zone);
    const beforeLabel = row?.comparison?.dimensions[0];
    compared ||= row?.comparison !== undefined;
    return {
      label,
      values: valuesOf(row?.metrics, metrics),
      before:
        row?.comparison && beforeLabel
          ? { label: beforeLabel, values: valuesOf(row.comparison.metrics, metrics) }
          : null,
      unfinished: start <= now && end > now,
      open: start <= now && end > openFrom,
      ahead: start > now,
    };
  });
  return { buckets, interval, compared, currency: currencyOf(answer.results) };
}

function valuesOf(cells: ResultRow["metrics"] | undefined, metrics: string[]): Bucket["values"] {
  const values: Bucket["values"] = {};
  metrics.forEach((metric, index) => {
    const isMean = ["bounce_rate", "time_on_page", "group_conversion_rate"].includes(metric);
    const name = (metric === "group_conversion_rate" ? "conversion_rate" : metric) as MetricName;
    values[name] = cells ? numberOf(cells[index]) : isMean ? null : 0;
  });
  if (values.visits === 0) values.bounce_rate = null;
  if (metrics.includes("visits")) {
    values.views_per_visit = values.visits ? (values.pageviews ?? 0) / values.visits : null;
  }
  return values;
}

function currencyOf(rows: ResultRow[]): string | null {
  for (const row of rows) {
    for (const cell of row.metrics) {
      const money = moneyOf(cell);
      if (money) return money.currency;
    }
  }
  return null;
}
