import { describe, expect, it } from "vitest";
import {
  axisValue,
  changeText,
  count,
  country,
  day,
  dayRange,
  duration,
  flag,
  hour,
  metricValue,
  share,
} from "./format";

const EN = "en-GB";

describe("figures", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [9_999_999, "9,999,999"],
    [12_345_678, "12.3M"],
  ])("writes the count %d as %s", (value, text) => expect(count(value, "en-US")).toBe(text));

  it.each([
    [0, "0s"],
    [59.4, "59s"],
    [59.6, "1m"],
    [134, "2m 14s"],
    [3600, "1h"],
    [3725, "1h 2m"],
    [90_000, "25h"],
  ])("writes %d seconds as %s", (value, text) => expect(duration(value, EN)).toBe(text));

  it.each([
    [1, 3, "33%"],
    [1, 100, "1.0%"],
    [96, 1000, "9.6%"],
    [3, 3, "100%"],
    [0, 10, "0.0%"],
    [5, 0, "–"],
  ])("writes %d of %d as %s", (part, whole, text) => expect(share(part, whole, EN)).toBe(text));

  it("writes a metric by its unit and a dash for none", () => {
    expect(metricValue(41, "percent", EN)).toBe("41%");
    expect(metricValue(2.638, "ratio", EN)).toBe("2.64");
    expect(metricValue(null, "count", EN)).toBe("–");
    expect(metricValue(undefined, "seconds", EN)).toBe("–");
    expect(metricValue(Number.NaN, "ratio", EN)).toBe("–");
  });

  it("keeps the axis short", () => {
    expect(axisValue(9_000, "count", EN)).toBe("9,000");
    expect(axisValue(25_000, "count", "en-US")).toBe("25K");
    expect(axisValue(120, "seconds", EN)).toBe("2m");
  });

  it("follows the reader's language", () => {
    expect(count(12_345, "de")).toBe("12.345");
    expect(share(1, 8, "de")).toMatch(/^13\s%$/);
  });
});

describe("dates", () => {
  it("shares month and year between both ends", () => {
    expect(dayRange("2026-11-01", "2026-11-01", EN)).toBe("1 Nov 2026");
    expect(dayRange("2026-11-01", "2026-11-20", EN)).toMatch(/^1\s?–\s?20 Nov 2026$/);
    expect(dayRange("2025-12-30", "2026-01-02", EN)).toMatch(/^30 Dec 2025\s–\s2 Jan 2026$/);
  });

  it("never moves a local day by the machine's own zone", () => {
    for (const date of ["2026-01-01", "2026-12-31", "2026-03-29"]) {
      expect(day(date, { day: "numeric", month: "numeric", year: "numeric" }, "sv")).toBe(date);
    }
  });

  it("writes an hour as the clock does", () => {
    expect(hour(14, EN)).toBe("14:00");
    expect(hour(0, "en-US")).toMatch(/^12:00\sAM$/);
  });
});

describe("countries", () => {
  it("names codes, and says so where there is nothing to name", () => {
    expect(country("DE", EN)).toBe("Germany");
    expect(country("DE", "fr")).toBe("Allemagne");
    expect(country("", EN)).toBe("Unknown");
    expect(country("(not set)", EN)).toBe("Unknown");
    expect(country("ZZ", EN)).toBe("Unknown (ZZ)");
  });

  it("shows a flag for a code only", () => {
    expect(flag("FR")).toBe("🇫🇷");
    expect(flag("(not set)")).toBe("");
    expect(flag("")).toBe("");
  });
});

describe("money and changes", () => {
  it("writes amounts as the language does, without coins once they are large", () => {
    expect(metricValue(59.94, "money", "en-GB", "EUR")).toBe("€59.94");
    expect(metricValue(21_159, "money", "en-GB", "EUR")).toBe("€21,159");
    expect(metricValue(1_234_567, "money", "en-GB", "EUR")).toBe("€1.2m");
    expect(metricValue(59.94, "money", "de", "EUR").replaceAll(/\s/g, " ")).toBe("59,94 €");
  });

  it.each([
    [27, "count", "up 27%"],
    [-3, "percent", "down 3 points"],
    [-1, "percent2", "down 1 point"],
    [0, "count", "no change"],
    [1_900, "count", "up 20-fold"],
    [null, "count", null],
  ] as const)("says %s of %s as %s", (change, unit, text) => {
    expect(changeText(change, unit, null, "en-GB")).toBe(text);
  });

  it("has no percentage of nothing", () => {
    expect(changeText(100, "count", 0)).toBe("new");
    expect(changeText(0, "count", 0)).toBe("no change");
  });
});
