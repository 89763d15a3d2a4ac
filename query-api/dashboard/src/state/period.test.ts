import { describe, expect, it } from "vitest";
import {
  choices,
  customPeriod,
  type Period,
  parsePeriod,
  periodName,
  periodParameters,
  rangeOf,
} from "./period";

const TODAY = "2026-11-21";
const parse = (search: string) => parsePeriod((name) => new URLSearchParams(search).get(name));

describe("ranges", () => {
  it.each<[Period, string | [string, string], string | null, string, string]>([
    [{ kind: "day", date: null }, "day", "2026-11-21", "2026-11-21", "hour"],
    [{ kind: "day", date: "2026-11-20" }, ["2026-11-20", "2026-11-20"], "2026-11-20", "2026-11-20", "hour"],
    [{ kind: "7d" }, "7d", "2026-11-14", "2026-11-20", "day"],
    [{ kind: "28d" }, "28d", "2026-10-24", "2026-11-20", "day"],
    [{ kind: "91d" }, "91d", "2026-08-22", "2026-11-20", "day"],
    [{ kind: "12mo" }, "12mo", "2025-11-01", "2026-10-31", "day"],
    [{ kind: "all" }, "all", null, "2026-11-21", "day"],
    [
      { kind: "custom", from: "2026-01-05", to: "2026-02-01" },
      ["2026-01-05", "2026-02-01"],
      "2026-01-05",
      "2026-02-01",
      "day",
    ],
  ])("of %j", (period, dateRange, from, to, bucket) => {
    expect(rangeOf(period, TODAY)).toEqual({ dateRange, from, to, bucket });
  });

  it("treats today's date as today, up to now", () => {
    expect(rangeOf({ kind: "day", date: TODAY }, TODAY).dateRange).toBe("day");
  });
});

describe("names", () => {
  it("call yesterday so only while it is yesterday", () => {
    const period: Period = { kind: "day", date: "2026-11-20" };
    expect(periodName(period, TODAY)).toBe("Yesterday");
    expect(periodName(period, "2026-11-22")).toBeNull();
    expect(periodName({ kind: "28d" }, TODAY)).toBe("Last 28 days");
  });
});

describe("addresses", () => {
  it("bring every choice back", () => {
    const custom: Period = { kind: "custom", from: "2026-01-05", to: "2026-02-01" };
    for (const period of [...choices(TODAY).map((choice) => choice.period), custom]) {
      expect(parse(new URLSearchParams(periodParameters(period)).toString())).toEqual(period);
    }
  });

  it.each(["", "period=28d", "period=5d", "period=custom&from=2026-02-01&to=2026-01-01", "period=toString"])(
    "fall back to 28 days for '%s'",
    (search) => expect(parse(search)).toEqual({ kind: "28d" }),
  );

  it("read a day without a date, or with a wrong one, as today", () => {
    expect(parse("period=day")).toEqual({ kind: "day", date: null });
    expect(parse("period=day&date=2026-02-31")).toEqual({ kind: "day", date: null });
  });
});

describe("custom dates", () => {
  it("of one day are that day", () => {
    expect(customPeriod("2026-01-05", "2026-01-05")).toEqual({ kind: "day", date: "2026-01-05" });
  });

  it.each([
    ["", "2026-01-05"],
    ["2026-01-06", "2026-01-05"],
    ["2001-01-01", "2026-01-05"],
  ])("from '%s' to '%s' are refused", (from, to) => expect(customPeriod(from, to)).toHaveProperty("problem"));

  it("may be as long as the API takes", () => {
    expect(customPeriod("2013-03-15", "2026-11-21")).toHaveProperty("kind", "custom");
    expect(customPeriod("2013-03-14", "2026-11-21")).toHaveProperty("problem");
  });
});
