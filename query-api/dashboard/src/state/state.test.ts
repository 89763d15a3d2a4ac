import { describe, expect, it } from "vitest";
import { findCommands } from "./commands";
import { canCompare } from "./comparison";
import { intervalOf, intervals } from "./interval";
import { type Period, rangeOf } from "./period";
import { viewOf, viewText } from "./preferences";
import { intentOf } from "./shortcuts";

const TODAY = "2026-11-21";
const offered = (period: Period) => intervals(period, rangeOf(period, TODAY));

describe("intervals", () => {
  it("suit the length of the period", () => {
    expect(offered({ kind: "day", date: null })).toEqual(["hour", "15min"]);
    expect(offered({ kind: "7d" })).toEqual(["day", "hour"]);
    expect(offered({ kind: "28d" })).toEqual(["day", "hour", "week"]);
    expect(offered({ kind: "12mo" })[0]).toBe("week");
    expect(offered({ kind: "all" })[0]).toBe("month");
    expect(offered({ kind: "realtime" })).toEqual(["minute"]);
  });

  it("give way to the usual one where the wanted one does not suit", () => {
    const period: Period = { kind: "7d" };
    expect(intervalOf("hour", period, rangeOf(period, TODAY))).toBe("hour");
    expect(intervalOf("month", period, rangeOf(period, TODAY))).toBe("day");
  });
});

describe("what is remembered of a view", () => {
  it("is the period and what it is compared with", () => {
    const view = {
      period: { kind: "7d" } as const,
      comparison: { mode: "previous_period", matchWeekday: true } as const,
    };
    expect(viewOf(viewText(view))).toEqual(view);
  });

  it("is neither the present nor dates of one's own", () => {
    expect(viewText({ period: { kind: "realtime" }, comparison: null })).toBe("");
    expect(
      viewText({ period: { kind: "custom", from: "2026-01-01", to: "2026-01-02" }, comparison: null }),
    ).toBe("");
    expect(viewText({ period: { kind: "day", date: "2026-01-01" }, comparison: null })).toBe("");
    expect(viewText({ period: { kind: "28d" }, comparison: null })).toBe("");
    expect(viewOf("")).toBeNull();
  });
});

it("minutes and all time are not compared", () => {
  expect([canCompare({ kind: "realtime" }), canCompare({ kind: "all" }), canCompare({ kind: "7d" })]).toEqual(
    [false, false, true],
  );
});

describe("keys", () => {
  const press = (key: string, more: Partial<KeyboardEvent> = {}, single = true) =>
    intentOf({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more }, single);

  it("ask for something", () => {
    expect(press("w")).toEqual({ does: "period", key: "w" });
    expect(press("3")).toEqual({ does: "site", index: 2 });
    expect(press("0")).toEqual({ does: "site", index: -1 });
    expect(press("ArrowLeft")).toEqual({ does: "step", by: -1 });
    expect(press("?", { shiftKey: true })).toEqual({ does: "help" });
    expect(press("z")).toBeNull();
  });

  it("are left to the browser with Ctrl, Alt or Meta, and when they are turned off", () => {
    expect(press("r", { ctrlKey: true })).toBeNull();
    expect(press("d", { metaKey: true })).toBeNull();
    expect(press("d", {}, false)).toBeNull();
    expect(press("k", { ctrlKey: true }, false)).toEqual({ does: "palette" });
  });
});

it("commands are found by all words, those that begin with them first", () => {
  const command = (group: string, label: string) => ({ group, label, run: () => {} });
  const commands = [
    command("Period", "This month"),
    command("Period", "Last month"),
    command("Chart", "Last"),
  ];
  const labels = (text: string) => findCommands(commands, text).map((one) => one.label);
  expect(labels("month")).toEqual(["This month", "Last month"]);
  expect(labels("last")).toEqual(["Last month", "Last"]);
  expect(labels("period last")).toEqual(["Last month"]);
  expect(labels("nothing")).toEqual([]);
});
