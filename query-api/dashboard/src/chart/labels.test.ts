import { expect, it } from "vitest";
import { fullLabel, shortLabel } from "./labels";

it("names buckets briefly", () => {
  expect(shortLabel("2026-11-21 14:00:00", false, "en-GB")).toBe("14:00");
  expect(shortLabel("2026-11-21", false, "en-GB")).toBe("21 Nov");
  expect(shortLabel("2026-11-01", true, "en-GB")).toBe("Nov");
  expect(shortLabel("2026-01-01", true, "en-GB")).toBe("2026");
});

it("names buckets in full", () => {
  expect(fullLabel("2026-11-21", "en-GB")).toBe("Sat, 21 Nov 2026");
  expect(fullLabel("2026-11-21 09:00:00", "en-GB")).toBe("Sat, 21 Nov 2026, 09:00");
});
