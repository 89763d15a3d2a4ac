import { describe, expect, it } from "vitest";
import { measure, VITALS, verdictOf } from "./vitals";

const [lcp, , cls] = VITALS;
const row = (value: string, count: number) => ({ dimensions: [value], metrics: [count] });

describe("vitals", () => {
  it("take the value that three of four loads do not exceed", () => {
    if (!lcp) throw new Error("no vital");
    const found = measure([row("5000", 1), row("1000", 2), row("2600", 1), row("(none)", 90)], lcp);
    expect(found).toEqual({
      count: 4,
      value: 2_600,
      verdict: "fair",
      shares: { good: 0.5, fair: 0.25, poor: 0.25 },
    });
  });

  it("say nothing where nothing was measured", () => {
    if (!lcp) throw new Error("no vital");
    expect(measure([], lcp)).toBeNull();
    expect(measure([row("(none)", 3)], lcp)).toBeNull();
  });

  it("judge by the usual limits", () => {
    if (!cls) throw new Error("no vital");
    expect([0.1, 0.11, 0.26].map((value) => verdictOf(value, cls.limits))).toEqual(["good", "fair", "poor"]);
  });
});
