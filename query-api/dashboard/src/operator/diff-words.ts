/** The difference of two histories as a person reads it. */
import { count, duration } from "../format";
import type { Change, Diff, Sample, ValueChange } from "./api";

const METRICS: Record<string, string> = {
  events: "events",
  pageviews: "pageviews",
  visits: "visits",
  visitors: "visitors",
  bounces: "bounces",
  engagement_ms: "engaged time",
  revenue_micros: "revenue",
  bot_events: "events of bots",
};

/** A metric's name for readers. */
export function metricWords(metric: string): string {
  return METRICS[metric] ?? metric.replaceAll("_", " ");
}

/** A figure of a metric, in the metric's unit. */
export function figure(metric: string, value: number): string {
  if (metric === "engagement_ms") {
    const text = duration(Math.abs(value) / 1_000);
    return value < 0 ? `−${text}` : text;
  }
  if (metric === "revenue_micros") {
    return new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(
      value / 1_000_000,
    );
  }
  return value < 0 ? `−${count(-value)}` : count(value);
}

/** A difference, with its sign. */
export function signed(metric: string, value: number): string {
  return value > 0 ? `+${figure(metric, value)}` : figure(metric, value);
}

/** What a figure is of: `channel AI Assistants`, `no source`, `everything`. */
export function ofWords({ dimension, value }: Pick<ValueChange, "dimension" | "value">): string {
  if (dimension === "") return "everything";
  const name = dimensionName(dimension);
  return value === "" ? `no ${name}` : `${name} ${value}`;
}

/** `visit:utm_source` as `utm source`. */
export function dimensionName(dimension: string): string {
  const name = dimension.replace(/^(event|visit):/, "");
  return name.startsWith("props:") ? `property ${name.slice(6)}` : name.replaceAll("_", " ");
}

/** The sentence above everything. */
export function headline(diff: Diff): string {
  if (diff.equal) return "Nothing differs: the new history gives the same figures.";
  const { changed, served_only: gone, shadow_only: added } = diff.rows;
  const parts: string[] = [];
  if (changed > 0) parts.push(`${rows(changed)} ${changed === 1 ? "comes" : "come"} out otherwise`);
  if (added > 0) parts.push(`${rows(added)} ${added === 1 ? "is" : "are"} new`);
  if (gone > 0) parts.push(`${rows(gone)} ${gone === 1 ? "is" : "are"} gone`);
  if (parts.length === 0) return "The histories differ in their order alone.";
  const last = parts.pop() ?? "";
  return parts.length === 0 ? `${last}.` : `${parts.join(", ")} and ${last}.`;
}

function rows(value: number): string {
  return `${count(value)} ${value === 1 ? "row" : "rows"}`;
}

/** How a sample's row differs: what it gives on one side and on the other. */
export function sampleSides(sample: Sample, dimension: string): [served: string, shadow: string] {
  if (dimension === "") {
    return [sample.served === null ? "not there" : "there", sample.shadow === null ? "not there" : "there"];
  }
  const side = (value: string | null) => (value === null ? "not there" : value === "" ? "none" : value);
  return [side(sample.served), side(sample.shadow)];
}

/** Changes by the site that they are of, sites with the largest difference first. */
export function bySite<One extends Change>(changes: One[]): { site: string; changes: One[] }[] {
  const groups = new Map<number, { site: string; changes: One[]; most: number }>();
  for (const one of changes) {
    const group = groups.get(one.site_id) ?? {
      site: one.site ?? `site ${one.site_id}`,
      changes: [],
      most: 0,
    };
    group.changes.push(one);
    if (one.metric !== "engagement_ms" && one.metric !== "revenue_micros") {
      group.most = Math.max(group.most, Math.abs(one.difference));
    }
    groups.set(one.site_id, group);
  }
  return [...groups.values()].sort((one, other) => other.most - one.most);
}
