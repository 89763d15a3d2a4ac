import { expect, it } from "vitest";
import { ago, bytes, dayOf, lag, moment } from "./moment";

it("writes moments in the zone that is asked for", () => {
  const text = "2026-11-21T23:30:00.000Z";
  expect(moment(text, "Europe/Berlin", "en-GB")).toBe("22 Nov 2026, 00:30");
  expect(dayOf(text, "UTC", "en-GB")).toBe("21 Nov 2026");
});

it("says how long ago in one unit", () => {
  for (const [ms, text] of [
    [-5_000, "now"],
    [400, "now"],
    [2_000, "2 seconds ago"],
    [61_000, "1 minute ago"],
    [3_600_000 * 3, "3 hours ago"],
    [86_400_000, "yesterday"],
    [86_400_000 * 40, "40 days ago"],
  ] as const) {
    expect(ago(ms, "en")).toBe(text);
  }
});

it("writes lags and sizes in the unit that is read best", () => {
  for (const [ms, text] of [
    [-3, "0 ms"],
    [120, "120 ms"],
    [3_400, "3.4 sec"],
    [45_200, "45 sec"],
    [120_000, "2 min"],
    [7_200_000, "2 hr"],
    [172_800_000, "2 days"],
  ] as const) {
    expect(lag(ms, "en")).toBe(text);
  }
  expect(bytes(0, "en")).toBe("0 byte");
  expect(bytes(1_530, "en")).toBe("1.5 kB");
  expect(bytes(126_976, "en")).toBe("127 kB");
  expect(bytes(3_456_789, "en")).toBe("3.5 MB");
});
