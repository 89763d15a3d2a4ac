import { describe, expect, it } from "vitest";
import { apiFilters, type Filter, readFilter, toggle, describe as words, writeFilter } from "./filters";

const is = (dimension: string, ...clauses: string[]): Filter => ({ operator: "is", dimension, clauses });

describe("the f parameter", () => {
  it("is written as Plausible does", () => {
    expect(writeFilter(is("page", "/docs", "/blog"))).toBe("is,page,/docs,/blog");
    expect(writeFilter(is("utm_campaign", "a,b&c=d+e f"))).toBe("is,utm_campaign,a%2Cb%26c%3Dd%2Be%20f");
  });

  it.each([["/docs"], ["a,b", "c"], ["100% & more?#"], ["Direct / None"], ["/söök/日本"], ["+1"]])(
    "brings %j back",
    (...clauses) => {
      const filter = is("page", ...clauses);
      expect(readFilter(writeFilter(filter))).toEqual(filter);
    },
  );

  it("is understood with encoded commas and full names", () => {
    expect(readFilter("is%2Cpage%2C%2Fdocs")).toEqual(is("page", "/docs"));
    expect(readFilter("contains,visit:source,goo")).toEqual({
      operator: "contains",
      dimension: "source",
      clauses: ["goo"],
    });
  });

  it.each([
    "",
    "is",
    "is,page",
    "is,page,",
    "like,page,/x",
    "is,constructor,/x",
    "is,props:,x",
    "contains,country,D",
    "is_not,goal,A",
    "toString,page,/x",
  ])("'%s' is left out", (raw) => expect(readFilter(raw)).toBeNull());

  it("survives a broken encoding", () => {
    expect(readFilter("is,page,%E0%A4%A")).toEqual(is("page", "%E0%A4%A"));
  });
});

describe("choosing a row", () => {
  it("adds, replaces and takes away", () => {
    const one = toggle([], "page", "/a");
    expect(one).toEqual([is("page", "/a")]);
    expect(toggle(one, "page", "/b")).toEqual([is("page", "/b")]);
    expect(toggle(one, "country", "DE")).toEqual([is("page", "/a"), is("country", "DE")]);
    expect(toggle(one, "page", "/a")).toEqual([]);
  });

  it("with Alt gathers what is left out", () => {
    const one = toggle([is("country", "DE")], "page", "/a", true);
    const two = toggle(one, "page", "/b", true);
    expect(two).toEqual([
      is("country", "DE"),
      { operator: "is_not", dimension: "page", clauses: ["/a", "/b"] },
    ]);
    expect(toggle(two, "page", "/b", true)).toEqual(two);
  });
});

describe("filters elsewhere", () => {
  it("have the API's names in its queries", () => {
    expect(apiFilters([is("page", "/a"), is("country", "DE"), is("props:plan", "pro")])).toEqual([
      ["is", "event:page", ["/a"]],
      ["is", "visit:country", ["DE"]],
      ["is", "event:props:plan", ["pro"]],
    ]);
    expect(apiFilters([is("segment", "12")])).toEqual([["is", "segment", [12]]]);
  });

  it("are joined by or, except those that the API takes at the top only", () => {
    const filters = [is("page", "/a"), is("goal", "Purchase"), is("country", "DE")];
    expect(apiFilters(filters, true)).toEqual([
      ["is", "event:goal", ["Purchase"]],
      [
        "or",
        [
          ["is", "event:page", ["/a"]],
          ["is", "visit:country", ["DE"]],
        ],
      ],
    ]);
    expect(apiFilters(filters.slice(0, 2), true)).toEqual(apiFilters(filters.slice(0, 2)));
  });

  it("are words in a chip", () => {
    expect(words({ operator: "is_not", dimension: "country", clauses: ["DE", "AT"] })).toEqual({
      dimension: "Country",
      operator: "is not",
      value: "Germany or Austria",
    });
  });
});
