import { describe, expect, it } from "vitest";
import {
  bucketByKey,
  type Frame,
  gridValues,
  labelledBuckets,
  labelledMonths,
  nearestBucket,
  shapes,
} from "./geometry";

const frame: Frame = { width: 220, height: 120, left: 10, right: 10, top: 10, bottom: 10 };
const points = (...values: (number | null)[]) => values.map((value) => ({ value, open: false }));

describe("the grid", () => {
  it.each([
    [530, "count", [0, 200, 400, 600]],
    [100, "count", [0, 25, 50, 75, 100]],
    [1, "count", [0, 1]],
    [3, "count", [0, 1, 2, 3]],
    [0, "count", [0, 1]],
    [2.4, "ratio", [0, 1, 2, 3]],
    [0.7, "ratio", [0, 0.2, 0.4, 0.6, 0.8]],
    [96, "percent", [0, 25, 50, 75, 100]],
    [154, "seconds", [0, 60, 120, 180]],
    [45, "seconds", [0, 15, 30, 45]],
  ] as const)("up to %d (%s)", (max, unit, values) => expect(gridValues(max, unit)).toEqual(values));

  it("covers every highest value with at most five lines", () => {
    for (let max = 1; max < 5e6; max = Math.ceil(max * 1.37)) {
      for (const unit of ["count", "seconds"] as const) {
        const grid = gridValues(max, unit);
        expect(grid.at(-1)).toBeGreaterThanOrEqual(max);
        expect(grid.length).toBeLessThanOrEqual(5);
        expect(grid.every(Number.isInteger)).toBe(true);
      }
    }
  });
});

describe("labels below", () => {
  it("keep their distance", () => {
    expect(labelledBuckets(7, 700, 72)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(labelledBuckets(24, 700, 72)).toEqual([0, 3, 6, 9, 12, 15, 18, 21]);
    expect(labelledBuckets(28, 300, 72)).toEqual([0, 7, 14, 21]);
    expect(labelledBuckets(0, 300, 72)).toEqual([]);
  });

  it("name months from their first day, January kept when thinned", () => {
    const year = Array.from({ length: 730 }, (_, index) =>
      new Date(Date.UTC(2025, 0, 1 + index)).toISOString().slice(0, 10),
    );
    expect(labelledMonths(year, 2000, 52)).toHaveLength(24);
    expect(labelledMonths(year, 240, 60).map((index) => year[index])).toEqual([
      "2025-01-01",
      "2025-07-01",
      "2026-01-01",
      "2026-07-01",
    ]);
  });
});

describe("shapes", () => {
  it("span the plot from the floor to the top", () => {
    const drawn = shapes(points(0, 50, 100), 100, frame);
    expect([drawn.x(0), drawn.x(1), drawn.x(2)]).toEqual([10, 110, 210]);
    expect([drawn.y(0), drawn.y(100)]).toEqual([110, 10]);
    expect(drawn.line).toBe("M10,110L110,60L210,10");
    expect(drawn.openLine).toBe("");
    expect(drawn.area).toBe("M10,110L110,60L210,10L210,110L110,110L10,110Z");
  });

  it("draw the open end apart, joined to the last finished bucket", () => {
    const drawn = shapes([...points(0, 50), { value: 100, open: true }], 100, frame);
    expect(drawn.line).toBe("M10,110L110,60");
    expect(drawn.openLine).toBe("M110,60L210,10");
  });

  it("leave gaps, and show values that stand alone", () => {
    const drawn = shapes(points(10, null, 20, 30, null), 100, frame);
    expect(drawn.lone).toEqual([0]);
    expect(drawn.line.match(/M/g)).toHaveLength(2);
  });

  it("put a single bucket in the middle and stand a series of nothing", () => {
    expect(shapes(points(5), 10, frame).x(0)).toBe(110);
    expect(shapes(points(5), 10, frame).lone).toEqual([0]);
    expect(shapes([], 0, frame).line).toBe("");
  });
});

describe("pointing", () => {
  it("finds the nearest bucket", () => {
    expect([-50, 10, 59, 61, 500].map((place) => nearestBucket(place, 3, frame))).toEqual([0, 0, 0, 1, 2]);
    expect(nearestBucket(100, 1, frame)).toBe(0);
  });

  it("walks by keys inside the series", () => {
    expect(bucketByKey("ArrowRight", 5, 28)).toBe(6);
    expect(bucketByKey("ArrowLeft", 0, 28)).toBe(0);
    expect(bucketByKey("End", 3, 28)).toBe(27);
    expect(bucketByKey("Home", 3, 28)).toBe(0);
    expect(bucketByKey("PageDown", 27, 28)).toBe(23);
    expect(bucketByKey("a", 3, 28)).toBeNull();
    expect(bucketByKey("toString", 3, 28)).toBeNull();
    expect(bucketByKey("End", 0, 0)).toBe(0);
  });
});
