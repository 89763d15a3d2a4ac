import { describe, expect, it } from "vitest";
import type { Filter } from "../state/filters";
import { rangeOf } from "../state/period";
import { PANELS, panelOf, tabOf, withProperty } from "./panels";
import { cardsQuery, detailsQuery, listQuery, seriesQuery, suggestionsQuery, type View } from "./queries";
import { snippet } from "./snippet";

const view = (more: Partial<View> = {}): View => ({
  site: "shop.example",
  range: rangeOf({ kind: "28d" }, "2026-11-21"),
  filters: [],
  any: false,
  comparison: null,
  comparable: true,
  interval: "day",
  ...more,
});
const page: Filter = { operator: "is", dimension: "page", clauses: ["/a"] };
const goal: Filter = { operator: "is", dimension: "goal", clauses: ["Purchase"] };
const tab = (panel: Parameters<typeof panelOf>[0], name: string) => tabOf(panelOf(panel), name);

describe("queries", () => {
  it("compare the cards always, where the period can be compared at all", () => {
    expect(cardsQuery(view(), "traffic").include).toEqual({ comparisons: { mode: "previous_period" } });
    const chosen = view({ comparison: { mode: "year_over_year", matchWeekday: true } });
    expect(cardsQuery(chosen, "goals").include).toEqual({
      comparisons: { mode: "year_over_year", match_day_of_week: true },
    });
    expect(cardsQuery(view({ comparable: false }), "traffic").include).toBeUndefined();
  });

  it("compare chart and lists only where the reader wants it", () => {
    expect(seriesQuery(view(), "traffic").include).toEqual({ time_labels: true });
    expect(listQuery(view(), tab("pages", "top"), 9).include).toBeUndefined();
    const compared = view({ comparison: { mode: "previous_period", matchWeekday: false } });
    expect(seriesQuery(compared, "traffic").include?.comparisons).toEqual({ mode: "previous_period" });
    expect(listQuery(compared, tab("pages", "top"), 9).include?.comparisons).toEqual({
      mode: "previous_period",
    });
  });

  it("ask the cards without views per visit while a page filter is on", () => {
    expect(cardsQuery(view(), "traffic").metrics).toContain("views_per_visit");
    expect(cardsQuery(view({ filters: [page] }), "traffic").metrics).not.toContain("views_per_visit");
  });

  it("name every page for engaged time, and every goal for conversions, unless a filter does", () => {
    expect(cardsQuery(view(), "engaged").filters).toEqual([["matches", "event:page", [".*"]]]);
    expect(cardsQuery(view({ filters: [page] }), "engaged").filters).toEqual([["is", "event:page", ["/a"]]]);
    expect(cardsQuery(view(), "goals").filters).toEqual([["contains", "event:goal", [""]]]);
    expect(cardsQuery(view({ filters: [goal] }), "goals").filters).toEqual([
      ["is", "event:goal", ["Purchase"]],
    ]);
  });

  it("order lists by what they ask for, and never mix counts of events with entry and exit pages", () => {
    for (const panel of PANELS) {
      for (const one of panel.tabs) {
        for (const filters of [[], [goal]]) {
          const query = listQuery(view({ filters }), withProperty(one, "plan"), 9);
          const asked = [...query.metrics, ...(query.dimensions ?? [])];
          expect(query.order_by?.every(([name]) => asked.includes(name))).toBe(true);
          const details = detailsQuery(view({ filters }), withProperty(one, "plan"), {
            search: "",
            order: ["visitors", "desc"],
            limit: 100,
            offset: 0,
          });
          if (one.dimension.endsWith("_page")) {
            for (const metric of ["pageviews", "events"]) {
              expect([...query.metrics, ...details.metrics]).not.toContain(metric);
            }
          }
        }
      }
    }
  });

  it("ask one row more than shown, and one for a row that is left out", () => {
    expect(listQuery(view(), tab("sources", "sources"), 9).pagination).toEqual({ limit: 10, offset: 0 });
    expect(listQuery(view(), tab("sources", "utm_campaign"), 9).pagination).toEqual({ limit: 11, offset: 0 });
  });

  it("search details by the words that are shown", () => {
    const wanted = { search: "ber", order: ["visits", "asc"] as [string, "asc"], limit: 100, offset: 0 };
    const query = detailsQuery(view({ filters: [page] }), tab("locations", "cities"), wanted);
    expect(query.filters).toEqual([
      ["is", "event:page", ["/a"]],
      ["contains", "visit:city_name", ["ber"]],
    ]);
    expect(query.order_by?.[0]).toEqual(["visits", "asc"]);
    const unknown = { ...wanted, order: ["nothing", "asc"] as [string, "asc"] };
    expect(detailsQuery(view(), tab("pages", "top"), unknown).order_by?.[0]).toEqual(["visitors", "desc"]);
  });

  it("suggest values that hold what was written", () => {
    expect(suggestionsQuery(view(), "page", "pri").filters).toEqual([["contains", "event:page", ["pri"]]]);
    expect(suggestionsQuery(view(), "goal", "pur").filters).toEqual([]);
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
