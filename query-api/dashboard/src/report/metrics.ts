/** The metrics on the page: their names, how they are written, what they mean. */
import type { Unit } from "../format";

export type MetricName =
  | "visitors"
  | "visits"
  | "pageviews"
  | "views_per_visit"
  | "bounce_rate"
  | "visit_duration";

export interface Metric {
  name: MetricName;
  label: string;
  unit: Unit;
  /** One sentence for the reader. */
  meaning: string;
}

export const METRICS: Metric[] = [
  {
    name: "visitors",
    label: "Visitors",
    unit: "count",
    meaning: "People on the site, each counted once a day.",
  },
  {
    name: "visits",
    label: "Visits",
    unit: "count",
    meaning: "A visit ends after 30 minutes without activity.",
  },
  { name: "pageviews", label: "Pageviews", unit: "count", meaning: "Pages opened, reloads included." },
  {
    name: "views_per_visit",
    label: "Views per visit",
    unit: "ratio",
    meaning: "Pageviews divided by visits.",
  },
  {
    name: "bounce_rate",
    label: "Bounce rate",
    unit: "percent",
    meaning: "Visits that ended after a single page without any other interaction.",
  },
  {
    name: "visit_duration",
    label: "Visit duration",
    unit: "seconds",
    meaning: "Mean time between a visit's first and last event.",
  },
];

/** Whether a metric is a mean over visits, which none of them leaves undefined. */
export function isMean(metric: Metric): boolean {
  return metric.unit !== "count";
}

/** Whether a text names a metric. */
export function isMetric(name: string): name is MetricName {
  return METRICS.some((metric) => metric.name === name);
}

/** The metric of a name. */
export function metricOf(name: MetricName): Metric {
  return METRICS.find((metric) => metric.name === name) ?? (METRICS[0] as Metric);
}
