/** The questions the page asks the API. */
import type { FilterLeaf, QueryBody } from "../api/types";
import { apiComparison, type Comparison } from "../state/comparison";
import { apiDimension, apiFilters, type Filter, filtersBy, hasPageFilter } from "../state/filters";
import type { Interval } from "../state/interval";
import type { Range } from "../state/period";
import type { Group, MetricName } from "./metrics";
import type { Tab } from "./panels";

/** What every question on the page shares. */
export interface View {
  site: string;
  range: Range;
  filters: Filter[];
  /** One of the filters is enough. */
  any: boolean;
  /** What the reader compares with; null where he does not. */
  comparison: Comparison | null;
  /** Whether the period can be compared at all. */
  comparable: boolean;
  interval: Interval;
}

const EVERY_PAGE: FilterLeaf = ["matches", "event:page", [".*"]];
const ANY_GOAL: FilterLeaf = ["contains", "event:goal", [""]];

/** The metrics of each group of cards, with these filters. */
export function groupMetrics(group: Group, filters: Filter[]): string[] {
  switch (group) {
    case "traffic":
      return hasPageFilter(filters)
        ? ["visitors", "visits", "pageviews", "bounce_rate"]
        : ["visitors", "visits", "pageviews", "views_per_visit", "bounce_rate"];
    case "engaged":
      return ["time_on_page"];
    case "goals":
      return ["visitors", "events", "conversion_rate", "total_revenue"];
  }
}

function base(
  view: View,
  group: Group = "traffic",
): QueryBody & { filters: NonNullable<QueryBody["filters"]> } {
  const filters = apiFilters(view.filters, view.any);
  if (group === "engaged" && !hasPageFilter(view.filters)) filters.push(EVERY_PAGE);
  if (group === "goals" && !filtersBy(view.filters, "goal")) filters.push(ANY_GOAL);
  return { site_id: view.site, metrics: [], date_range: view.range.dateRange, filters };
}

/** The figures of a group of cards, always compared where that is possible. */
export function cardsQuery(view: View, group: Group): QueryBody {
  const query: QueryBody = { ...base(view, group), metrics: groupMetrics(group, view.filters) };
  if (view.comparable) query.include = { comparisons: apiComparison(view.comparison) };
  return query;
}

/**
 * The metrics of the chart. Views per visit is divided on the page: the API gives it without dimensions only.
 * The rate of a bucket is that among its own visitors.
 */
export function seriesMetrics(group: Group): string[] {
  switch (group) {
    case "traffic":
      return ["visitors", "visits", "pageviews", "bounce_rate"];
    case "engaged":
      return ["time_on_page"];
    case "goals":
      return ["visitors", "events", "group_conversion_rate", "total_revenue"];
  }
}

/** Every metric of the group over time. */
export function seriesQuery(view: View, group: Group): QueryBody {
  const dimension = `time:${view.interval}`;
  return {
    ...base(view, group),
    metrics: seriesMetrics(group),
    dimensions: [dimension],
    order_by: [[dimension, "asc"]],
    include: {
      time_labels: true,
      ...(view.comparison && view.comparable ? { comparisons: apiComparison(view.comparison) } : {}),
    },
  };
}

/** The figures of a list's rows: of visitors who reached a goal, how many of each row's own that are. */
export function listMetrics(tab: Tab, filters: Filter[], wanted: string[]): string[] {
  if (tab.look !== "goals" && !tab.among && filtersBy(filters, "goal")) {
    return ["visitors", "group_conversion_rate"];
  }
  return wanted;
}

function among(view: View, tab: Tab): QueryBody["filters"] {
  const filters = base(view).filters;
  const isAsked = tab.among?.[1] === "event:goal" && filtersBy(view.filters, "goal");
  return tab.among && !isAsked ? [...filters, tab.among] : filters;
}

/** The first `limit` rows of a list; one more is asked, to know whether there are more. */
export function listQuery(view: View, tab: Tab, limit: number): QueryBody {
  const dimension = apiDimension(tab.dimension);
  const metrics = listMetrics(tab, view.filters, tab.metrics);
  const extra = tab.leaveOut === undefined ? 1 : 2;
  return {
    ...base(view),
    filters: among(view, tab) ?? [],
    metrics,
    dimensions: tab.naming ? [dimension, tab.naming] : [dimension],
    order_by: [
      [metrics[0] ?? "visitors", "desc"],
      [dimension, "asc"],
    ],
    pagination: { limit: limit + extra, offset: 0 },
    ...(view.comparison && view.comparable
      ? { include: { comparisons: apiComparison(view.comparison) } }
      : {}),
  };
}

/** One page of a list's details, searched and sorted as the reader wants. */
export function detailsQuery(
  view: View,
  tab: Tab,
  wanted: { search: string; order: [string, "asc" | "desc"]; limit: number; offset: number },
): QueryBody {
  const dimension = apiDimension(tab.dimension);
  const metrics = listMetrics(tab, view.filters, tab.details);
  const order: [string, "asc" | "desc"] = metrics.includes(wanted.order[0])
    ? wanted.order
    : [metrics[0] ?? "visitors", "desc"];
  const filters = [...(among(view, tab) ?? [])];
  if (wanted.search !== "") filters.push(["contains", tab.naming ?? dimension, [wanted.search]]);
  return {
    ...base(view),
    filters,
    metrics,
    dimensions: tab.naming ? [dimension, tab.naming] : [dimension],
    order_by: [order, [dimension, "asc"]],
    pagination: { limit: wanted.limit, offset: wanted.offset },
    include: {
      total_rows: true,
      ...(view.comparison && view.comparable ? { comparisons: apiComparison(view.comparison) } : {}),
    },
  };
}

/** The values of a dimension that hold a text, the frequent ones first. */
export function suggestionsQuery(view: View, dimension: string, text: string): QueryBody {
  const name = apiDimension(dimension);
  return {
    site_id: view.site,
    metrics: ["visitors"],
    date_range: view.range.dateRange,
    dimensions: [name],
    filters:
      text === "" || dimension === "goal" || dimension === "country" ? [] : [["contains", name, [text]]],
    pagination: { limit: 12, offset: 0 },
  };
}

/** How often each value of a web vital was measured. */
export function vitalQuery(view: View, vital: string): QueryBody {
  return {
    ...base(view),
    filters: [...base(view).filters, ["is", "event:name", ["Web Vitals"]]],
    metrics: ["events"],
    dimensions: [`event:props:${vital}`],
    pagination: { limit: 2_000, offset: 0 },
  };
}

/** Who is on the site now. */
export function presentQuery(site: string): QueryBody {
  return { site_id: site, metrics: ["visitors"], date_range: "realtime" };
}

/** Whether the site was ever visited. */
export function everQuery(site: string): QueryBody {
  return { site_id: site, metrics: ["visitors", "events"], date_range: "all" };
}

/** The metrics whose card a view leaves without a figure. */
export function undefinedMetrics(filters: Filter[]): MetricName[] {
  return hasPageFilter(filters) ? ["views_per_visit"] : [];
}
