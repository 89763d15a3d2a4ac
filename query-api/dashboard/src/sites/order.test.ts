import { expect, it } from "vitest";
import { inOrder } from "./order";
import type { Glance } from "./overview-queries";

const sites = ["a", "b", "c", "d"].map((domain) => ({ domain, timezone: "UTC" }));
const glance = (visitors: number, before: number | null): Glance => ({
  visitors,
  before,
  days: [],
  present: null,
  missing: [],
});
const glances = new Map<string, Glance | null>([
  ["a", glance(10, 20)],
  ["b", glance(30, 30)],
  ["c", glance(5, null)],
  ["d", null],
]);

it("orders by visitors, by growth, by name", () => {
  const names = (order: "visitors" | "change" | "name") =>
    inOrder(sites, order, glances).map((site) => site.domain);
  expect(names("visitors")).toEqual(["b", "a", "c", "d"]);
  expect(names("change")).toEqual(["b", "a", "c", "d"]);
  expect(names("name")).toEqual(["a", "b", "c", "d"]);
  expect(inOrder(sites, "visitors", new Map()).map((site) => site.domain)).toEqual(["a", "b", "c", "d"]);
});
