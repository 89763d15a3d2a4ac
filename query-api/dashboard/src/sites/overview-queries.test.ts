import { expect, it } from "vitest";
import { change, glanceOf, queriesOf, SITES_AT_A_TIME } from "./overview-queries";

it("asks no more than one request takes", () => {
  expect(queriesOf("a.example").length * SITES_AT_A_TIME).toBeLessThanOrEqual(40);
});

it("puts days without visitors where they belong", () => {
  const totals = {
    results: [{ metrics: [12], dimensions: [], comparison: { metrics: [10] } }],
    meta: { regions_missing: ["eu"] },
  };
  const byDay = {
    results: [{ metrics: [5], dimensions: ["2026-11-02"] }],
    meta: { time_labels: ["2026-11-01", "2026-11-02", "2026-11-03"] },
  };
  expect(glanceOf(totals, byDay, 3)).toEqual({
    visitors: 12,
    before: 10,
    days: [0, 5, 0],
    present: 3,
    missing: ["eu"],
  });
  expect(glanceOf(totals, byDay, { error: "no" })?.present).toBeNull();
  expect(glanceOf({ error: "no" }, byDay, 1)).toBeNull();
  expect(glanceOf(totals, undefined, 1)).toBeNull();
});

it("compares with what was, where something was", () => {
  expect(change(12, 10)).toBeCloseTo(0.2);
  expect(change(0, 10)).toBe(-1);
  expect(change(5, 0)).toBeNull();
  expect(change(5, null)).toBeNull();
});
