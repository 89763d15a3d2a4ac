import { describe, expect, it } from "vitest";
import { rangeOf } from "../state/period";
import type { MetricName } from "./metrics";
import { buildSeries } from "./series";

const METRICS: MetricName[] = ["visitors", "visits", "pageviews", "bounce_rate"];
const ZONE = "Europe/Berlin";
const NOW = Date.parse("2026-11-21T13:20:00Z"); // 14:20 in Berlin
const row = (label: string, ...metrics: number[]) => ({ dimensions: [label], metrics });

describe("series", () => {
  it("fills days without visits: counts with 0, means with none", () => {
    const range = rangeOf({ kind: "7d" }, "2026-11-21");
    const series = buildSeries([row("2026-11-16", 10, 12, 30, 50)], METRICS, range, ZONE, NOW, NOW);
    expect(series.map((bucket) => bucket.label.slice(8))).toEqual(["14", "15", "16", "17", "18", "19", "20"]);
    expect(series[0]?.values).toMatchObject({
      visitors: 0,
      pageviews: 0,
      bounce_rate: null,
      views_per_visit: null,
    });
    expect(series[2]?.values).toMatchObject({ visitors: 10, bounce_rate: 50, views_per_visit: 2.5 });
    expect(series.some((bucket) => bucket.open || bucket.ahead)).toBe(false);
  });

  it("marks the present hour as open and later ones as ahead", () => {
    const range = rangeOf({ kind: "day", date: null }, "2026-11-21");
    const series = buildSeries([row("2026-11-21 14:00:00", 3, 3, 4, 0)], METRICS, range, ZONE, NOW, NOW);
    expect(series).toHaveLength(24);
    expect(series.filter((bucket) => bucket.open).map((bucket) => bucket.label)).toEqual([
      "2026-11-21 14:00:00",
    ]);
    expect(series.filter((bucket) => bucket.ahead)).toHaveLength(9);
    expect(series[14]?.values.visitors).toBe(3);
  });

  it("keeps every bucket open that ends after the watermark", () => {
    const range = rangeOf({ kind: "day", date: null }, "2026-11-21");
    const complete = Date.parse("2026-11-21T11:30:00Z"); // 12:30 in Berlin
    const open = buildSeries([], METRICS, range, ZONE, NOW, complete).filter((bucket) => bucket.open);
    expect(open.map((bucket) => bucket.label.slice(11, 13))).toEqual(["12", "13", "14"]);
  });

  it("begins all time with the first day that has figures, a week ago at the latest", () => {
    const range = rangeOf({ kind: "all" }, "2026-11-21");
    const first = (rows: { dimensions: string[]; metrics: number[] }[]) =>
      buildSeries(rows, METRICS, range, ZONE, NOW, NOW)[0]?.label;
    expect(first([row("2026-10-01", 1, 1, 1, 0)])).toBe("2026-10-01");
    expect(first([row("2026-11-21", 1, 1, 1, 0)])).toBe("2026-11-15");
    expect(first([])).toBe("2026-11-15");
  });

  it("follows the clock's change", () => {
    const range = rangeOf({ kind: "day", date: "2026-03-29" }, "2026-11-21");
    expect(buildSeries([], METRICS, range, ZONE, NOW, NOW)).toHaveLength(23);
  });
});
