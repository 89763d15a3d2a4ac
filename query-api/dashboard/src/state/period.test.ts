import { describe, expect, it } from "vitest";
import { choiceOfKey, choices } from "./choices";
import {
  customPeriod,
  neighbour,
  type Period,
  parsePeriod,
  periodName,
  periodParameters,
  rangeOf,
} from "./period";

const TODAY = "2026-11-21";
const parse = (search: string) => parsePeriod((name) => new URLSearchParams(search).get(name));
const custom = (from: string, to: string): Period => ({ kind: "custom", from, to });

describe("ranges", () => {
  it.each<[Period, string | [string, string], string | null, string]>([
    [{ kind: "day", date: null }, "day", "2026-11-21", "2026-11-21"],
    [{ kind: "day", date: "2026-11-20" }, ["2026-11-20", "2026-11-20"], "2026-11-20", "2026-11-20"],
    [{ kind: "day", date: TODAY }, "day", TODAY, TODAY],
    [{ kind: "realtime" }, "30m", TODAY, TODAY],
    [{ kind: "24h" }, "24h", "2026-11-20", TODAY],
    [{ kind: "7d" }, "7d", "2026-11-14", "2026-11-20"],
    [{ kind: "28d" }, "28d", "2026-10-24", "2026-11-20"],
    [{ kind: "91d" }, "91d", "2026-08-22", "2026-11-20"],
    [{ kind: "month", date: null }, "month", "2026-11-01", "2026-11-30"],
    [{ kind: "month", date: "2026-02-10" }, ["2026-02-01", "2026-02-28"], "2026-02-01", "2026-02-28"],
    [{ kind: "year", date: null }, "year", "2026-01-01", "2026-12-31"],
    [{ kind: "year", date: "2025-01-01" }, ["2025-01-01", "2025-12-31"], "2025-01-01", "2025-12-31"],
    [{ kind: "6mo" }, "6mo", "2026-05-01", "2026-10-31"],
    [{ kind: "12mo" }, "12mo", "2025-11-01", "2026-10-31"],
    [{ kind: "all" }, "all", null, "2026-11-21"],
    [custom("2026-01-05", "2026-02-01"), ["2026-01-05", "2026-02-01"], "2026-01-05", "2026-02-01"],
  ])("of %j", (period, dateRange, from, to) => {
    expect(rangeOf(period, TODAY)).toEqual({ dateRange, from, to });
  });
});

describe("neighbours", () => {
  it.each<[Period, -1 | 1, Period | null]>([
    [{ kind: "day", date: null }, -1, { kind: "day", date: "2026-11-20" }],
    [{ kind: "day", date: "2026-11-20" }, 1, { kind: "day", date: null }],
    [{ kind: "day", date: null }, 1, null],
    [{ kind: "28d" }, -1, custom("2026-09-26", "2026-10-23")],
    [{ kind: "7d" }, 1, custom("2026-11-21", "2026-11-21")],
    [{ kind: "month", date: null }, -1, { kind: "month", date: "2026-10-01" }],
    [{ kind: "month", date: "2026-10-01" }, 1, { kind: "month", date: null }],
    [{ kind: "month", date: null }, 1, null],
    [{ kind: "year", date: null }, -1, { kind: "year", date: "2025-01-01" }],
    [custom("2026-11-01", "2026-11-10"), -1, custom("2026-10-22", "2026-10-31")],
    [custom("2026-11-05", "2026-11-14"), 1, custom("2026-11-15", "2026-11-21")],
    [{ kind: "all" }, -1, null],
    [{ kind: "realtime" }, -1, null],
  ])("of %j, %d", (period, step, expected) => {
    expect(neighbour(period, TODAY, step)).toEqual(expected);
  });
});

describe("names", () => {
  it("call yesterday so only while it is yesterday", () => {
    const period: Period = { kind: "day", date: "2026-11-20" };
    expect(periodName(period, TODAY)).toBe("Yesterday");
    expect(periodName(period, "2026-11-22")).toBeNull();
    expect(periodName({ kind: "28d" }, TODAY)).toBe("Last 28 days");
    expect(periodName({ kind: "month", date: "2026-10-01" }, TODAY)).toBe("Last month");
    expect(periodName({ kind: "month", date: "2026-09-01" }, TODAY)).toBeNull();
  });
});

describe("addresses", () => {
  it("bring every choice back", () => {
    const all = [
      ...choices(TODAY)
        .flat()
        .map((choice) => choice.period),
      custom("2026-01-05", "2026-02-01"),
    ];
    for (const period of all) {
      expect(parse(new URLSearchParams(periodParameters(period)).toString())).toEqual(period);
    }
  });

  it.each(["", "period=5d", "period=custom&from=2026-02-01&to=2026-01-01", "period=toString"])(
    "name no period with '%s'",
    (search) => expect(parse(search)).toBeNull(),
  );

  it("read a day without a date, or with a wrong one, as today", () => {
    expect(parse("period=day")).toEqual({ kind: "day", date: null });
    expect(parse("period=day&date=2026-02-31")).toEqual({ kind: "day", date: null });
  });
});

describe("keys", () => {
  it("stand for one choice each", () => {
    const keys = choices(TODAY)
      .flat()
      .map((choice) => choice.key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(choiceOfKey("f", TODAY)?.period).toEqual({ kind: "28d" });
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
