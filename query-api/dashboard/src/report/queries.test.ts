import { describe, expect, it } from "vitest";
import type { Filter } from "../state/filters";
import { rangeOf } from "../state/period";
import { PANELS, tabOf } from "./panels";
import { cardsQuery, listQuery, seriesQuery, type View } from "./queries";
import { snippet } from "./snippet";

const view = (filters: Filter[] = []): View => ({
  site: "shop.example",
  range: rangeOf({ kind: "28d" }, "2026-11-21"),
  filters,
});
const page: Filter = { operator: "is", dimension: "page", clauses: ["/a"] };
const country: Filter = { operator: "is", dimension: "country", clauses: ["DE"] };

describe("queries", () => {
  it("ask the cards without views per visit while a page filter is on", () => {
    expect(cardsQuery(view([country])).metrics).toContain("views_per_visit");
    expect(cardsQuery(view([page])).metrics).not.toContain("views_per_visit");
    expect(cardsQuery(view([page])).filters).toEqual([["is", "event:page", ["/a"]]]);
  });

  it("ask the chart by hour for a day and by day else", () => {
    expect(seriesQuery(view()).dimensions).toEqual(["time:day"]);
    const today = { ...view(), range: rangeOf({ kind: "day", date: null }, "2026-11-21") };
    expect(seriesQuery(today)).toMatchObject({ dimensions: ["time:hour"], date_range: "day" });
    expect(seriesQuery(view()).metrics).not.toContain("views_per_visit");
  });

  it("never mix counts of events with entry and exit pages", () => {
    for (const panel of PANELS) {
      for (const tab of panel.tabs) {
        const query = listQuery(view(), tab, 9);
        expect(
          query.order_by?.every(([name]) => [...query.metrics, ...(query.dimensions ?? [])].includes(name)),
        ).toBe(true);
        if (tab.dimension.endsWith("_page")) expect(query.metrics).not.toContain("pageviews");
      }
    }
  });

  it("ask one row more than shown, and one for a row that is left out", () => {
    const sources = PANELS.find((panel) => panel.name === "sources");
    if (!sources) throw new Error("no panel of sources");
    expect(listQuery(view(), tabOf(sources, "sources"), 9).pagination).toEqual({ limit: 10, offset: 0 });
    expect(listQuery(view(), tabOf(sources, "campaigns"), 9).pagination).toEqual({ limit: 11, offset: 0 });
  });
});

describe("the snippet", () => {
  const local = { protocol: "http:", hostname: "127.0.0.1" };
  it("takes the collector's address from the server, else from this machine", () => {
    const site = { domain: "shop.example", timezone: "UTC" };
    expect(snippet({ ...site, script_url: "https://edge.example/js/script.js" }, local)).toBe(
      '<script defer data-domain="shop.example" src="https://edge.example/js/script.js"></script>',
    );
    expect(snippet(site, local)).toContain('src="http://127.0.0.1:8080/js/script.js"');
    expect(snippet(site, { protocol: "https:", hostname: "stats.example" })).toContain(
      "your-collector.example",
    );
  });

  it("is safe to paste whatever the domain is called", () => {
    expect(snippet({ domain: 'a"><b', timezone: "UTC" }, local)).toContain('data-domain="a&quot;>&lt;b"');
  });
});
