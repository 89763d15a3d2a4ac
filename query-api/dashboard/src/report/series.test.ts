import { describe, expect, it } from "vitest";
import type { Meta, ResultRow } from "../api/types";
import { buildSeries, endOf } from "./series";

const METRICS = ["visitors", "visits", "pageviews", "bounce_rate"];
const ZONE = "Europe/Berlin";
const NOW = Date.parse("2026-11-21T13:20:00Z"); // 14:20 in Berlin
const row = (label: string, ...metrics: number[]): ResultRow => ({ dimensions: [label], metrics });
const hours = Array.from({ length: 24 }, (_, hour) => `2026-11-21 ${String(hour).padStart(2, "0")}:00:00`);
const series = (results: ResultRow[], meta: Meta, interval: "hour" | "day" = "hour") =>
  buildSeries({ results, meta }, METRICS, interval, ZONE, NOW);

describe("series", () => {
  it("fills what is missing: counts with 0, means with none", () => {
    const labels = ["2026-11-14", "2026-11-15", "2026-11-16"];
    const { buckets } = series([row("2026-11-16", 10, 12, 30, 50)], { time_labels: labels }, "day");
    expect(buckets.map((bucket) => bucket.label)).toEqual(labels);
    expect(buckets[0]?.values).toEqual({
      visitors: 0,
      visits: 0,
      pageviews: 0,
      bounce_rate: null,
      views_per_visit: null,
    });
    expect(buckets[2]?.values).toMatchObject({ visitors: 10, bounce_rate: 50, views_per_visit: 2.5 });
    expect(buckets.some((bucket) => bucket.open || bucket.unfinished || bucket.ahead)).toBe(false);
  });

  it("knows the present hour and those ahead", () => {
    const { buckets } = series([row("2026-11-21 14:00:00", 3, 3, 4, 0)], { time_labels: hours });
    expect(buckets.filter((bucket) => bucket.unfinished).map((bucket) => bucket.label)).toEqual([
      "2026-11-21 14:00:00",
    ]);
    expect(buckets.filter((bucket) => bucket.ahead)).toHaveLength(9);
    expect(buckets[14]?.values.visitors).toBe(3);
  });

  it("keeps every bucket open from the first open hour on", () => {
    const open = ["2026-11-21T11:00:00Z", "2026-11-21T12:00:00Z"]; // 12 and 13 in Berlin
    const { buckets } = series([], { time_labels: hours, open_hours: open });
    expect(buckets.filter((bucket) => bucket.open).map((bucket) => bucket.label.slice(11, 13))).toEqual([
      "12",
      "13",
      "14",
    ]);
  });

  it("puts beside each bucket the one it is compared with", () => {
    const comparison = {
      dimensions: ["2026-11-14 10:00:00"],
      metrics: [4, 5, 9, 20],
      change: [100, 0, 0, 0],
    };
    const past = { dimensions: [null], metrics: [0, 0, 0, 0], change: [0, 0, 0, 0] };
    const found = series(
      [
        { ...row("2026-11-21 10:00:00", 8, 8, 9, 10), comparison },
        { ...row("2026-11-21 11:00:00", 1, 1, 1, 0), comparison: past },
      ],
      { time_labels: hours },
    );
    expect(found.compared).toBe(true);
    expect(found.buckets[10]?.before).toMatchObject({
      label: "2026-11-14 10:00:00",
      values: { visitors: 4 },
    });
    expect(found.buckets[11]?.before).toBeNull();
  });

  it("takes amounts of money as numbers, and remembers their currency", () => {
    const amount = { value: 12.5, currency: "EUR", short: "€12.5", long: "€12.50" };
    const answer = { results: [{ dimensions: ["2026-11-20"], metrics: [amount] }], meta: {} };
    const found = buildSeries(answer, ["total_revenue"], "day", ZONE, NOW);
    expect(found.currency).toBe("EUR");
    expect(found.buckets[0]?.values.total_revenue).toBe(12.5);
  });

  it("calls the rate among a bucket's own visitors the conversion of that bucket", () => {
    const answer = {
      results: [row("2026-11-20", 20.67)],
      meta: { time_labels: ["2026-11-19", "2026-11-20"] },
    };
    const found = buildSeries(answer, ["group_conversion_rate"], "day", ZONE, NOW).buckets;
    expect(found.map((bucket) => bucket.values.conversion_rate)).toEqual([null, 20.67]);
  });

  it.each([
    ["2026-10-25", "day", 25],
    ["2026-03-29", "day", 23],
    ["2026-11-18", "week", 5 * 24],
    ["2026-02-01", "month", 28 * 24],
    ["2026-11-21 10:00:00", "hour", 1],
    ["2026-11-21 10:15:00", "15min", 0.25],
  ] as const)("ends the bucket %s of a %s after %d hours", (label, interval, length) => {
    const start = endOf(label, interval, ZONE) - length * 3_600_000;
    expect(new Date(start).toLocaleString("sv", { timeZone: ZONE })).toBe(
      label.length > 10 ? label : `${label} 00:00:00`,
    );
  });
});
