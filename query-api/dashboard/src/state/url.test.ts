import { describe, expect, it } from "vitest";
import { keepShare, parseState, type State, writeState } from "./url";

const DEFAULT: State = {
  site: null,
  period: { kind: "28d" },
  filters: [],
  metric: "visitors",
  tabs: { pages: "top", sources: "sources", countries: "countries", devices: "devices" },
  table: false,
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
      filters: [
        { operator: "is", dimension: "page", clauses: ["/docs", "/a,b"] },
        { operator: "contains", dimension: "source", clauses: ["goo"] },
      ],
      metric: "bounce_rate",
      tabs: { pages: "exit", sources: "campaigns", countries: "countries", devices: "os" },
      table: true,
    };
    expect(writeState(state)).toBe(
      "?site=shop.example&period=custom&from=2026-01-05&to=2026-02-01&f=is,page,/docs,/a%2Cb" +
        "&f=contains,source,goo&metric=bounce_rate&pages=exit&sources=campaigns&devices=os&view=table",
    );
    expect(parseState(writeState(state))).toEqual(state);
  });

  it("reads an address of Plausible's", () => {
    const state = parseState("?period=day&date=2026-11-02&f=is,page,/docs&with_imported=false");
    expect(state.period).toEqual({ kind: "day", date: "2026-11-02" });
    expect(state.filters).toEqual([{ operator: "is", dimension: "page", clauses: ["/docs"] }]);
  });

  it("ignores what it does not know", () => {
    expect(parseState("?metric=__proto__&pages=nothing&f=x&view=cube&&=&site=")).toEqual(DEFAULT);
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
