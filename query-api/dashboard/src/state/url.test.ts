import { describe, expect, it } from "vitest";
import { keepShare, namesPeriod, parseState, type State, writeState } from "./url";

const DEFAULT: State = {
  site: null,
  period: { kind: "28d" },
  comparison: null,
  filters: [],
  any: false,
  metric: "visitors",
  interval: null,
  tabs: {
    sources: "channels",
    pages: "top",
    locations: "map",
    technology: "browsers",
    behaviour: "goals",
    shop: "products",
    vitals: "vitals",
  },
  property: null,
  details: null,
  table: false,
  revision: null,
};

describe("the address", () => {
  it("is empty for the page as it opens", () => {
    expect(parseState("")).toEqual(DEFAULT);
    expect(writeState(DEFAULT)).toBe("");
  });

  it("holds the whole state, and gives it back", () => {
    const state: State = {
      site: "shop.example",
      period: { kind: "custom", from: "2026-01-05", to: "2026-02-01" },
      comparison: { mode: "year_over_year", matchWeekday: true },
      filters: [
        { operator: "is", dimension: "page", clauses: ["/docs", "/a,b"] },
        { operator: "contains", dimension: "props:plan=b", clauses: ["goo"] },
      ],
      any: true,
      metric: "bounce_rate",
      interval: "week",
      tabs: { ...DEFAULT.tabs, pages: "exit", sources: "utm_term", technology: "os" },
      property: "plan",
      details: "pages",
      table: true,
      revision: "12",
    };
    expect(writeState(state)).toBe(
      "?site=shop.example&period=custom&from=2026-01-05&to=2026-02-01&comparison=year_over_year" +
        "&match_day_of_week=true&f=is,page,/docs,/a%2Cb&f=contains,props:plan%3Db,goo&match=any" +
        "&metric=bounce_rate&interval=week&sources=utm_term&pages=exit&technology=os&property=plan" +
        "&details=pages&view=table&rev=12",
    );
    expect(parseState(writeState(state))).toEqual(state);
  });

  it("reads an address of Plausible's", () => {
    const state = parseState("?period=day&date=2026-11-02&f=is,page,/docs&with_imported=false");
    expect(state.period).toEqual({ kind: "day", date: "2026-11-02" });
    const compared = parseState("?comparison=custom&compare_from=2026-01-01&compare_to=2026-01-31");
    expect(compared.comparison).toEqual({ mode: "custom", from: "2026-01-01", to: "2026-01-31" });
    expect(state.filters).toEqual([{ operator: "is", dimension: "page", clauses: ["/docs"] }]);
  });

  it("ignores what it does not know", () => {
    expect(
      parseState(
        "?metric=__proto__&pages=nothing&f=x&view=cube&&=&site=&rev=-1&interval=toString&details=x&comparison=x",
      ),
    ).toEqual(DEFAULT);
  });

  it("names the usual period where another one is remembered", () => {
    expect(writeState(DEFAULT, true)).toBe("?period=28d");
    expect([namesPeriod("?a=b&period=28d"), namesPeriod("?a=period")]).toEqual([true, false]);
  });

  it("reads a bounded number of filters", () => {
    const many = Array.from({ length: 500 }, (_, index) => `f=is,page,/${index}`).join("&");
    expect(parseState(`?${many}`).filters).toHaveLength(20);
  });
});

it("keeps a shared link's slug through every change of state", () => {
  expect(keepShare("?auth=abc&embed=true&period=day", "?period=7d")).toBe("?auth=abc&embed=true&period=7d");
  expect(keepShare("?auth=abc", "")).toBe("?auth=abc");
  expect(keepShare("?period=day", "")).toBe("");
});
