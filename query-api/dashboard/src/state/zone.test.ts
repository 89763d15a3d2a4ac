import { describe, expect, it } from "vitest";
import {
  addDays,
  dateAt,
  daysBetween,
  hoursOfDay,
  isDate,
  knownZone,
  monthStart,
  startOfDay,
  wallClock,
} from "./zone";

const at = (text: string) => Date.parse(text);

describe("days of a zone", () => {
  it("depend on the zone, not on this machine", () => {
    const moment = at("2026-11-20T23:30:00Z");
    expect(dateAt(moment, "UTC")).toBe("2026-11-20");
    expect(dateAt(moment, "Europe/Berlin")).toBe("2026-11-21");
    expect(dateAt(moment, "America/New_York")).toBe("2026-11-20");
    expect(wallClock(moment, "Asia/Kolkata")).toEqual({ date: "2026-11-21", hour: 5, minute: 0, second: 0 });
  });

  it.each([
    ["2026-11-21", "UTC", "2026-11-21T00:00:00Z"],
    ["2026-11-21", "Europe/Berlin", "2026-11-20T23:00:00Z"],
    ["2026-07-01", "Europe/Berlin", "2026-06-30T22:00:00Z"],
    ["2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00Z"],
    ["2026-10-26", "Europe/Berlin", "2026-10-25T23:00:00Z"],
    ["2026-11-21", "Pacific/Auckland", "2026-11-20T11:00:00Z"],
    ["2026-11-21", "Asia/Kathmandu", "2026-11-20T18:15:00Z"],
    // Chile's summer time begins at midnight: the day starts at one o'clock.
    ["2026-09-06", "America/Santiago", "2026-09-06T04:00:00Z"],
  ])("%s begins in %s at %s", (date, zone, moment) => {
    expect(new Date(startOfDay(date, zone)).toISOString()).toBe(new Date(moment).toISOString());
  });

  it("have 23, 24 or 25 hours, the doubled one merged", () => {
    const labels = (date: string) =>
      hoursOfDay(date, "Europe/Berlin").map((hour) => hour.label.slice(11, 13));
    expect(labels("2026-11-21")).toHaveLength(24);
    expect(labels("2026-03-29").slice(0, 4)).toEqual(["00", "01", "03", "04"]);
    const back = hoursOfDay("2026-10-25", "Europe/Berlin");
    expect(back).toHaveLength(24);
    expect(back.map((hour) => (hour.end - hour.start) / 3_600_000)).toEqual([1, 1, 2, ...Array(21).fill(1)]);
    expect(back.at(-1)?.end).toBe(startOfDay("2026-10-26", "Europe/Berlin"));
  });

  it("are added and counted by the calendar", () => {
    expect(addDays("2026-02-28", 1)).toBe("2026-03-01");
    expect(addDays("2024-03-01", -1)).toBe("2024-02-29");
    expect(monthStart("2026-01-31", -1)).toBe("2025-12-01");
    expect(monthStart("2026-11-21", -12)).toBe("2025-11-01");
    expect(daysBetween("2026-03-28", "2026-03-30")).toBe(2);
  });

  it("know what is a day at all", () => {
    expect(isDate("2024-02-29")).toBe(true);
    for (const text of ["2026-02-29", "2026-13-01", "26-01-01", "", "2026-1-1", "2026-01-01T00:00:00Z"]) {
      expect(isDate(text)).toBe(false);
    }
  });

  it("fall back to UTC where the zone is unknown here", () => {
    expect(knownZone("Europe/Paris")).toBe("Europe/Paris");
    expect(knownZone("Moon/Tranquility")).toBe("UTC");
  });
});
