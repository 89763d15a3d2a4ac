import { expect, it } from "vitest";
import type { Change, Diff, Sample } from "./api";
import { bySite, figure, headline, ofWords, sampleSides, signed } from "./diff-words";

const diff = (changed: number, served_only: number, shadow_only: number) =>
  ({ equal: false, rows: { changed, served_only, shadow_only } }) as Diff;

it("says the whole in one sentence", () => {
  expect(headline({ equal: true } as Diff)).toContain("Nothing differs");
  expect(headline(diff(1204, 0, 3))).toBe("1,204 rows come out otherwise and 3 rows are new.");
  expect(headline(diff(1, 1, 1))).toBe("1 row comes out otherwise, 1 row is new and 1 row is gone.");
  expect(headline(diff(0, 2, 0))).toBe("2 rows are gone.");
  expect(headline(diff(0, 0, 0))).toContain("order");
});

it("writes figures in their unit and differences with their sign", () => {
  expect(figure("visits", 1204)).toBe("1,204");
  expect(signed("visits", 3)).toBe("+3");
  expect(signed("visits", -3)).toBe("−3");
  expect(signed("engagement_ms", -125_000)).toBe("−2m 5s");
  expect(figure("revenue_micros", 12_500_000)).toBe("12.50");
});

it("names what a figure is of", () => {
  expect(ofWords({ dimension: "visit:channel", value: "AI Assistants" })).toBe("channel AI Assistants");
  expect(ofWords({ dimension: "visit:utm_source", value: "" })).toBe("no utm source");
  expect(ofWords({ dimension: "event:props:plan", value: "pro" })).toBe("property plan pro");
  expect(ofWords({ dimension: "", value: "" })).toBe("everything");
});

it("shows both sides of a row", () => {
  const sample = { served: "", shadow: "ChatGPT" } as Sample;
  expect(sampleSides(sample, "visit:source")).toEqual(["none", "ChatGPT"]);
  expect(sampleSides({ ...sample, served: null }, "visit:source")).toEqual(["not there", "ChatGPT"]);
  expect(sampleSides({ ...sample, served: null, shadow: "" }, "")).toEqual(["not there", "there"]);
});

it("puts the site with the largest difference first", () => {
  const change = (site_id: number, difference: number, metric = "visits"): Change => ({
    site_id,
    site: site_id === 3 ? null : `${site_id}.example`,
    metric,
    served: 0,
    shadow: difference,
    difference,
  });
  const groups = bySite([change(1, 2), change(3, -40), change(1, 5), change(2, 9_000_000, "engagement_ms")]);
  expect(groups.map((group) => [group.site, group.changes.length])).toEqual([
    ["site 3", 1],
    ["1.example", 2],
    ["2.example", 1],
  ]);
});
