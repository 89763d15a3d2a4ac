/** The whole state of the page as the query part of its address. */
import { isMetric, type MetricName } from "../report/metrics";
import { PANELS, type PanelName, tabOf } from "../report/panels";
import { decode, type Filter, readFilters, writeFilter } from "./filters";
import { DEFAULT_PERIOD, type Period, parsePeriod, periodParameters, samePeriod } from "./period";

export interface State {
  /** Domain of the site; null takes the first the key reads. */
  site: string | null;
  period: Period;
  filters: Filter[];
  /** The metric the chart shows. */
  metric: MetricName;
  /** The tab each panel shows. */
  tabs: Record<PanelName, string>;
  /** The chart as figures. */
  table: boolean;
}

/** The state of an address's query part, with or without its question mark. */
export function parseState(search: string): State {
  const parameters: [string, string][] = search
    .replace(/^\?/, "")
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const at = pair.indexOf("=");
      return at < 0 ? [decode(pair), ""] : [decode(pair.slice(0, at)), pair.slice(at + 1)];
    });
  const parameter = (name: string) => {
    const found = parameters.find(([key]) => key === name);
    return found ? decode(found[1]) : null;
  };
  const metric = parameter("metric") ?? "";
  const tabs = {} as Record<PanelName, string>;
  for (const panel of PANELS) tabs[panel.name] = tabOf(panel, parameter(panel.name)).name;
  return {
    site: parameter("site") || null,
    period: parsePeriod(parameter),
    filters: readFilters(parameters.filter(([key]) => key === "f").map(([, raw]) => raw)),
    metric: isMetric(metric) ? metric : "visitors",
    tabs,
    table: parameter("view") === "table",
  };
}

/** The query part of the address for a state: empty, or beginning with a question mark. */
export function writeState(state: State): string {
  const parts: string[] = [];
  const add = (name: string, value: string) => parts.push(`${name}=${encodeURIComponent(value)}`);
  if (state.site !== null) add("site", state.site);
  if (!samePeriod(state.period, DEFAULT_PERIOD)) {
    for (const [name, value] of periodParameters(state.period)) add(name, value);
  }
  for (const filter of state.filters) parts.push(`f=${writeFilter(filter)}`);
  if (state.metric !== "visitors") add("metric", state.metric);
  for (const panel of PANELS) {
    const tab = state.tabs[panel.name];
    if (tab !== panel.tabs[0].name) add(panel.name, tab);
  }
  if (state.table) add("view", "table");
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** What a shared link's address holds beside the state, carried from one state to the next. */
const OF_SHARE = ["auth", "embed"];

/** `search` with what `before` says about the shared link. */
export function keepShare(before: string, search: string): string {
  const kept = before
    .replace(/^\?/, "")
    .split("&")
    .filter((pair) => OF_SHARE.includes(pair.split("=", 1)[0] ?? ""));
  const parts = [...kept, ...search.replace(/^\?/, "").split("&")].filter((pair) => pair !== "");
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}
