import { describe, expect, it } from "vitest";
import { fullLabel, shortLabel } from "./labels";

describe("labels", () => {
  it("are short below the plot", () => {
    expect(shortLabel("2026-11-02", "day", false, "en-GB")).toBe("2 Nov");
    expect(shortLabel("2026-11-02 14:00:00", "hour", false, "en-GB")).toBe("14:00");
    expect(shortLabel("2026-11-02 14:15:00", "15min", false, "en-GB")).toBe("14:15");
    expect(shortLabel("2026-11-01", "month", true, "en-GB")).toBe("Nov");
    expect(shortLabel("2026-01-01", "month", true, "en-GB")).toBe("2026");
  });

  it("name the day at midnight where several days are shown by hour", () => {
    expect(shortLabel("2026-11-02 00:00:00", "hour", true, "en-GB")).toBe("2 Nov");
    expect(shortLabel("2026-11-02 06:00:00", "hour", true, "en-GB")).toBe("06:00");
  });

  it("are complete elsewhere", () => {
    expect(fullLabel("2026-11-02", "day", "en-GB")).toBe("Mon, 2 Nov 2026");
    expect(fullLabel("2026-11-02 14:00:00", "hour", "en-GB")).toBe("Mon, 2 Nov 2026, 14:00");
    expect(fullLabel("2026-11-01", "month", "en-GB")).toBe("November 2026");
    expect(fullLabel("2026-11-04", "week", "en-GB").replaceAll(/\s/g, "")).toBe("4–8Nov2026");
  });
});
