import { describe, expect, it } from "vitest";
import { withAnswer } from "./health";

const meta = (watermark: string, revision: number | Record<string, number>) => ({ watermark, revision });

describe("the claim of several answers", () => {
  it("is the earliest watermark and the span of revisions", () => {
    let health = withAnswer(null, "1", meta("2026-11-21T14:59:03.000Z", 12));
    health = withAnswer(health, "1", meta("2026-11-21T14:59:01.000Z", 13));
    expect(health.watermark).toBe(Date.parse("2026-11-21T14:59:01Z"));
    expect(health.revisions).toEqual([12, 13]);
  });

  it("begins anew with every refresh", () => {
    const before = withAnswer(null, "1", meta("2026-11-21T14:59:03.000Z", 12));
    const after = withAnswer(before, "2", meta("2026-11-21T15:00:03.000Z", 14));
    expect(after.watermark).toBe(Date.parse("2026-11-21T15:00:03Z"));
    expect(after.revisions).toEqual([14, 14]);
  });

  it("claims no watermark that one answer did not give", () => {
    const before = withAnswer(null, "1", meta("2026-11-21T14:59:03.000Z", 12));
    expect(withAnswer(before, "1", {}).watermark).toBeNull();
    expect(withAnswer(before, "1", meta("soon", 12)).watermark).toBeNull();
  });

  it("takes revisions of several partitions", () => {
    expect(withAnswer(null, "1", { revision: { "local.0": 7, "eu.1": 3 } }).revisions).toEqual([3, 7]);
  });

  it("names every region that one answer lacks, and the most open hours", () => {
    const hours = ["2026-11-21T11:00:00Z", "2026-11-21T12:00:00Z"];
    let health = withAnswer(null, "1", { regions_missing: ["eu"], open_hours: hours });
    health = withAnswer(health, "1", { regions_missing: ["eu", "us"], open_hours: hours.slice(1) });
    expect(health).toMatchObject({ missing: ["eu", "us"], openHours: 2 });
  });
});
