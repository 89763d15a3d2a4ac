/** The questions the page asks the API. */
import type { QueryBody } from "../api/types";
import { apiDimension, apiFilters, type Filter, hasPageFilter } from "../state/filters";
import type { Range } from "../state/period";
import type { MetricName } from "./metrics";
import type { Tab } from "./panels";

/** What every question on the page shares. */
export interface View {
  site: string;
  range: Range;
  filters: Filter[];
}

/** The metrics of the cards; views per visit has no meaning for single pages. */
export function cardMetrics(filters: Filter[]): MetricName[] {
  const all: MetricName[] = [
    "visitors",
    "visits",
    "pageviews",
    "views_per_visit",
    "bounce_rate",
    "visit_duration",
  ];
  return hasPageFilter(filters) ? all.filter((metric) => metric !== "views_per_visit") : all;
}

/** The metrics of the chart. Views per visit is divided on the page: the API gives it without dimensions only. */
export const SERIES_METRICS: MetricName[] = [
  "visitors",
  "visits",
  "pageviews",
  "bounce_rate",
  "visit_duration",
];

function base(view: View): Pick<QueryBody, "site_id" | "date_range" | "filters"> {
  return { site_id: view.site, date_range: view.range.dateRange, filters: apiFilters(view.filters) };
}

/** The figures of the cards. */
export function cardsQuery(view: View): QueryBody {
  return { ...base(view), metrics: cardMetrics(view.filters) };
}

/** Every metric over time. */
export function seriesQuery(view: View): QueryBody {
  const dimension = view.range.bucket === "hour" ? "time:hour" : "time:day";
  return { ...base(view), metrics: SERIES_METRICS, dimensions: [dimension], order_by: [[dimension, "asc"]] };
}

/** The first `limit` rows of a list; one more is asked, to know whether there are more. */
export function listQuery(view: View, tab: Tab, limit: number): QueryBody {
  const dimension = apiDimension(tab.dimension);
  const extra = tab.leaveOut === undefined ? 1 : 2;
  return {
    ...base(view),
    metrics: tab.second ? ["visitors", tab.second.metric] : ["visitors"],
    dimensions: [dimension],
    order_by: [
      ["visitors", "desc"],
      [dimension, "asc"],
    ],
    pagination: { limit: limit + extra, offset: 0 },
  };
}

/** Whether the site was ever visited. */
export function everQuery(site: string): QueryBody {
  return { site_id: site, metrics: ["visitors", "events"], date_range: "all" };
}
