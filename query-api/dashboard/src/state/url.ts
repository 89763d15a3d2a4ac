/** The whole state of the page as the query part of its address. */
import { isMetric, type MetricName } from "../report/metrics";
import { PANELS, type PanelName, tabOf } from "../report/panels";
import { type Comparison, comparisonParameters, parseComparison } from "./comparison";
import { decode, type Filter, readFilters, writeFilter } from "./filters";
import { type Interval, isInterval } from "./interval";
import { DEFAULT_PERIOD, type Period, parsePeriod, periodParameters, samePeriod } from "./period";

export interface State {
  /** Domain of the site; null takes the first the reader may see. */
  site: string | null;
  period: Period;
  comparison: Comparison | null;
  filters: Filter[];
  /** One of the filters is enough. */
  any: boolean;
  /** The metric the chart shows. */
  metric: MetricName;
  /** Length of the chart's buckets; null takes the usual one. */
  interval: Interval | null;
  /** The tab each panel shows. */
  tabs: Record<PanelName, string>;
  /** The property that the tab of properties shows. */
  property: string | null;
  /** The panel whose details are open. */
  details: PanelName | null;
  /** The chart as figures. */
  table: boolean;
  /** Revision of the data; null is the newest. */
  revision: string | null;
}

/** The state of an address's query part, with or without its question mark. */
export function parseState(search: string): State {
  const parameters = pairs(search);
  const parameter = (name: string) => {
    const found = parameters.find(([key]) => key === name);
    return found ? decode(found[1]) : null;
  };
  const metric = parameter("metric") ?? "";
  const interval = parameter("interval");
  const details = PANELS.find((panel) => panel.name === parameter("details"));
  const revision = parameter("rev") ?? "";
  const tabs = {} as Record<PanelName, string>;
  for (const panel of PANELS) tabs[panel.name] = tabOf(panel, parameter(panel.name)).name;
  return {
    site: parameter("site") || null,
    period: parsePeriod(parameter) ?? DEFAULT_PERIOD,
    comparison: parseComparison(parameter),
    filters: readFilters(parameters.filter(([key]) => key === "f").map(([, raw]) => raw)),
    any: parameter("match") === "any",
    metric: isMetric(metric) ? metric : "visitors",
    interval: isInterval(interval) ? interval : null,
    tabs,
    property: parameter("property") || null,
    details: details?.name ?? null,
    table: parameter("view") === "table",
    revision: /^([0-9]{1,19}|shadow)$/.test(revision) ? revision : null,
  };
}

function pairs(search: string): [string, string][] {
  return search
    .replace(/^\?/, "")
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const at = pair.indexOf("=");
      return at < 0 ? [decode(pair), ""] : [decode(pair.slice(0, at)), pair.slice(at + 1)];
    });
}

/** Whether an address says which period it means. */
export function namesPeriod(search: string): boolean {
  return pairs(search).some(([name]) => name === "period");
}

/** The query part of the address for a state: empty, or beginning with a question mark. */
export function writeState(state: State, sayPeriod = false): string {
  const parts: string[] = [];
  const add = (name: string, value: string) => parts.push(`${name}=${encodeURIComponent(value)}`);
  if (state.site !== null) add("site", state.site);
  if (sayPeriod || !samePeriod(state.period, DEFAULT_PERIOD)) {
    for (const [name, value] of periodParameters(state.period)) add(name, value);
  }
  for (const [name, value] of comparisonParameters(state.comparison)) add(name, value);
  for (const filter of state.filters) parts.push(`f=${writeFilter(filter)}`);
  if (state.any) add("match", "any");
  if (state.metric !== "visitors") add("metric", state.metric);
  if (state.interval !== null) add("interval", state.interval);
  for (const panel of PANELS) {
    const tab = state.tabs[panel.name];
    if (tab !== panel.tabs[0].name) add(panel.name, tab);
  }
  if (state.property !== null) add("property", state.property);
  if (state.details !== null) add("details", state.details);
  if (state.table) add("view", "table");
  if (state.revision !== null) add("rev", state.revision);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** What a shared link's address holds beside the state, carried from one state to the next. */
const OF_SHARE = ["auth", "embed", "theme"];

/** `search` with what `before` says about the shared link. */
export function keepShare(before: string, search: string): string {
  const kept = before
    .replace(/^\?/, "")
    .split("&")
    .filter((pair) => OF_SHARE.includes(pair.split("=", 1)[0] ?? ""));
  const parts = [...kept, ...search.replace(/^\?/, "").split("&")].filter((pair) => pair !== "");
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}
