/** The metrics on the page: their names, how they are written, what they mean. */
import type { Unit } from "../format";

/** Those of the cards, each of which the chart can show. */
export type MetricName =
  | "visitors"
  | "visits"
  | "pageviews"
  | "views_per_visit"
  | "bounce_rate"
  | "time_on_page"
  | "events"
  | "total_revenue"
  | "conversion_rate";

/** Which query answers a metric: together they cannot be asked. */
export type Group = "traffic" | "engaged" | "goals";

export interface Metric {
  name: MetricName;
  label: string;
  unit: Unit;
  group: Group;
  /** More of it is worse. */
  isBetterLow?: boolean;
  /** One sentence for the reader. */
  meaning: string;
}

export const METRICS: Metric[] = [
  {
    name: "visitors",
    label: "Visitors",
    unit: "count",
    group: "traffic",
    meaning: "People on the site, each counted once a day.",
  },
  {
    name: "visits",
    label: "Visits",
    unit: "count",
    group: "traffic",
    meaning: "A visit ends after 30 minutes without activity.",
  },
  {
    name: "pageviews",
    label: "Pageviews",
    unit: "count",
    group: "traffic",
    meaning: "Pages opened, reloads included.",
  },
  {
    name: "views_per_visit",
    label: "Views per visit",
    unit: "ratio",
    group: "traffic",
    meaning: "Pageviews divided by visits.",
  },
  {
    name: "bounce_rate",
    label: "Bounce rate",
    unit: "percent",
    group: "traffic",
    isBetterLow: true,
    meaning: "Visits that ended after a single page without any other interaction.",
  },
  {
    name: "time_on_page",
    label: "Engaged time",
    unit: "seconds",
    group: "engaged",
    meaning: "Time with the page in view and in use, for each visit.",
  },
  {
    name: "events",
    label: "Conversions",
    unit: "count",
    group: "goals",
    meaning: "How often the goals were reached.",
  },
  {
    name: "total_revenue",
    label: "Revenue",
    unit: "money",
    group: "goals",
    meaning: "The amounts of all goals that carry one.",
  },
  {
    name: "conversion_rate",
    label: "Conversion",
    unit: "percent2",
    group: "goals",
    meaning: "Visitors who reached at least one goal.",
  },
];

const OF_GOALS: MetricName[] = ["visitors", "visits", "events", "total_revenue", "conversion_rate"];

/** The metrics that say something: of those who reached a goal others than of all. */
export function metricsFor(byGoal: boolean): Metric[] {
  return METRICS.filter((metric) => (byGoal ? OF_GOALS.includes(metric.name) : metric.name !== "events"));
}

/** What a card calls bounces when it shows their opposite. */
export const ENGAGEMENT: Pick<Metric, "label" | "meaning"> = {
  label: "Engagement rate",
  meaning: "Visits with a second page or another interaction.",
};

/** Names and units of the figures in lists and their details. */
export const COLUMNS: Record<string, { label: string; unit: Unit }> = {
  visitors: { label: "Visitors", unit: "count" },
  visits: { label: "Visits", unit: "count" },
  pageviews: { label: "Views", unit: "count" },
  events: { label: "Events", unit: "count" },
  percentage: { label: "Share", unit: "percent1" },
  bounce_rate: { label: "Bounce rate", unit: "percent" },
  visit_duration: { label: "Duration", unit: "seconds" },
  time_on_page: { label: "Engaged", unit: "seconds" },
  scroll_depth: { label: "Scrolled", unit: "percent" },
  exit_rate: { label: "Exit rate", unit: "percent1" },
  conversion_rate: { label: "Rate", unit: "percent2" },
  group_conversion_rate: { label: "Rate", unit: "percent2" },
  total_revenue: { label: "Revenue", unit: "money" },
  average_revenue: { label: "Average", unit: "money" },
};

/** Whether a text names a metric. */
export function isMetric(name: string): name is MetricName {
  return METRICS.some((metric) => metric.name === name);
}

/** The metric of a name. */
export function metricOf(name: MetricName): Metric {
  return METRICS.find((metric) => metric.name === name) ?? (METRICS[0] as Metric);
}
