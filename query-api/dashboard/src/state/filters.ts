/** The filters on display, and how an address and the API write them. */
import type { FilterLeaf, FilterTree } from "../api/types";
import { country } from "../format";

export type Operator = "is" | "is_not" | "contains" | "contains_not";

/** One filter; `dimension` is short (`page`, `props:plan`), `clauses` are alternatives. */
export interface Filter {
  operator: Operator;
  dimension: string;
  clauses: string[];
}

/** More filters or alternatives than this are not read from an address. */
const FILTERS_MAX = 20;
const CLAUSES_MAX = 50;
const PROPERTY = "props:";

/** What can be filtered by: the short name, the API's, the reader's. */
export const DIMENSIONS: Record<string, { api: string; label: string }> = {
  page: { api: "event:page", label: "Page" },
  entry_page: { api: "visit:entry_page", label: "Entry page" },
  exit_page: { api: "visit:exit_page", label: "Exit page" },
  hostname: { api: "event:hostname", label: "Host" },
  source: { api: "visit:source", label: "Source" },
  channel: { api: "visit:channel", label: "Channel" },
  referrer: { api: "visit:referrer", label: "Referrer" },
  utm_source: { api: "visit:utm_source", label: "UTM source" },
  utm_medium: { api: "visit:utm_medium", label: "UTM medium" },
  utm_campaign: { api: "visit:utm_campaign", label: "Campaign" },
  utm_content: { api: "visit:utm_content", label: "UTM content" },
  utm_term: { api: "visit:utm_term", label: "UTM term" },
  country: { api: "visit:country", label: "Country" },
  region: { api: "visit:region", label: "Region" },
  city: { api: "visit:city", label: "City" },
  device: { api: "visit:device", label: "Device" },
  browser: { api: "visit:browser", label: "Browser" },
  browser_version: { api: "visit:browser_version", label: "Browser version" },
  os: { api: "visit:os", label: "Operating system" },
  os_version: { api: "visit:os_version", label: "System version" },
  goal: { api: "event:goal", label: "Goal" },
  name: { api: "event:name", label: "Event" },
  segment: { api: "segment", label: "Segment" },
};

export const OPERATORS: Record<Operator, string> = {
  is: "is",
  is_not: "is not",
  contains: "contains",
  contains_not: "does not contain",
};

/** The operators the API knows for a dimension. */
export function operatorsOf(dimension: string): Operator[] {
  if (dimension === "goal") return ["is", "contains"];
  if (dimension === "segment") return ["is"];
  if (dimension === "country") return ["is", "is_not"];
  return Object.keys(OPERATORS) as Operator[];
}

/** The API's name of a short dimension name. */
export function apiDimension(dimension: string): string {
  if (dimension.startsWith(PROPERTY)) return `event:${dimension}`;
  return DIMENSIONS[dimension]?.api ?? dimension;
}

/** The reader's name of a dimension. */
export function dimensionLabel(dimension: string): string {
  return dimension.startsWith(PROPERTY)
    ? dimension.slice(PROPERTY.length)
    : (DIMENSIONS[dimension]?.label ?? dimension);
}

/** A filter in words, in the three parts a chip shows; `nameOf` knows names of codes. */
export function describe(
  filter: Filter,
  nameOf: (dimension: string, clause: string) => string | undefined = () => undefined,
): { dimension: string; operator: string; value: string } {
  const values = filter.clauses.map(
    (clause) =>
      nameOf(filter.dimension, clause) ??
      (filter.dimension === "country" && !filter.operator.startsWith("contains") ? country(clause) : clause),
  );
  return {
    dimension: dimensionLabel(filter.dimension),
    operator: OPERATORS[filter.operator],
    value: values.join(" or "),
  };
}

/** Filters that the API takes at the top only, where all must hold. */
export function isTopLevel(filter: Filter): boolean {
  return ["goal", "hostname", "segment"].includes(filter.dimension);
}

function leaf(filter: Filter): FilterLeaf {
  const clauses: (string | number)[] =
    filter.dimension === "segment" ? filter.clauses.map(Number) : filter.clauses;
  return [filter.operator, apiDimension(filter.dimension), clauses];
}

/** The filters as the API takes them; with `any`, one of those that are not of the top level is enough. */
export function apiFilters(filters: Filter[], any = false): FilterTree[] {
  const loose = any ? filters.filter((filter) => !isTopLevel(filter)) : [];
  if (loose.length < 2) return filters.map(leaf);
  return [...filters.filter(isTopLevel).map(leaf), ["or", loose.map(leaf)]];
}

/** Whether the filters hold one on this dimension. */
export function filtersBy(filters: Filter[], dimension: string): boolean {
  return filters.some((filter) => filter.dimension === dimension);
}

/** Whether the filters hold one on single pages, which has no views per visit. */
export function hasPageFilter(filters: Filter[]): boolean {
  return filtersBy(filters, "page");
}

/** Whether exactly this value is filtered for. */
export function isFiltered(filters: Filter[], dimension: string, value: string): boolean {
  return filters.some(
    (filter) =>
      filter.operator === "is" &&
      filter.dimension === dimension &&
      filter.clauses.length === 1 &&
      filter.clauses[0] === value,
  );
}

/** The filters after a row was chosen: added, put in place of its like, or taken away again. */
export function toggle(filters: Filter[], dimension: string, value: string, exclude = false): Filter[] {
  if (exclude) {
    const like = filters.find((filter) => filter.dimension === dimension && filter.operator === "is_not");
    if (!like) return [...filters, { operator: "is_not", dimension, clauses: [value] }];
    if (like.clauses.includes(value)) return filters;
    return filters.map((filter) =>
      filter === like ? { ...like, clauses: [...like.clauses, value] } : filter,
    );
  }
  const others = filters.filter((filter) => filter.dimension !== dimension || filter.operator !== "is");
  if (isFiltered(filters, dimension, value)) return others;
  return [...others, { operator: "is", dimension, clauses: [value] }];
}

/** The value of an `f` parameter: `is,page,/docs,/blog`, each clause percent-encoded. */
export function writeFilter(filter: Filter): string {
  const part = (text: string) => encodeURIComponent(text).replaceAll("%2F", "/").replaceAll("%3A", ":");
  return [filter.operator, part(filter.dimension), ...filter.clauses.map(part)].join(",");
}

/** Reads the raw (still encoded) value of an `f` parameter; null when it is no filter we know. */
export function readFilter(raw: string): Filter | null {
  let parts = raw.split(",");
  // Some programs encode the commas too when they pass an address on.
  if (parts.length < 3) parts = decode(raw).split(",");
  const [operator, name, ...rest] = parts.map(decode);
  const dimension = name?.replace(/^(event|visit):/, "");
  if (operator === undefined || dimension === undefined || !isDimension(dimension)) return null;
  if (!Object.hasOwn(OPERATORS, operator)) return null;
  if (!operatorsOf(dimension).includes(operator as Operator)) return null;
  const clauses = rest.filter((clause) => clause !== "").slice(0, CLAUSES_MAX);
  return clauses.length === 0 ? null : { operator: operator as Operator, dimension, clauses };
}

function isDimension(name: string): boolean {
  return Object.hasOwn(DIMENSIONS, name) || (name.startsWith(PROPERTY) && name.length > PROPERTY.length);
}

/** The filters of an address, the unreadable ones left out. */
export function readFilters(raws: string[]): Filter[] {
  return raws
    .slice(0, FILTERS_MAX)
    .map(readFilter)
    .filter((filter) => filter !== null);
}

/** Decodes a part of an address; leaves it as it is when it is not well-formed. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}
