import { expect, it } from "vitest";
import type { Partition } from "./api";
import { conditionOf, summaryOf } from "./overview-words";

const live = { condition: "live", alarms: [] as string[], lag_ms: 120 } as unknown as Partition;
const of = (...partitions: Partition[]) => [{ region: "local", partitions }];

it("calls a partition by the worst that is known of it", () => {
  expect(conditionOf(live)).toEqual({ words: "Live", mood: "good" });
  expect(conditionOf({ ...live, lag_ms: 60_000 })).toEqual({ words: "Behind", mood: "late" });
  expect(conditionOf({ ...live, alarms: ["ledger_mismatch"] }).mood).toBe("bad");
  expect(conditionOf({ ...live, condition: "stopped" }).mood).toBe("bad");
  expect(conditionOf({ ...live, condition: "of_a_later_version" })).toEqual({
    words: "of a later version",
    mood: "late",
  });
});

it("says it in one sentence", () => {
  expect(summaryOf(of(live, { ...live, lag_ms: 240 }))).toEqual({
    sentence: "All 2 partitions are live; answers are 240 ms behind the moment.",
    mood: "good",
  });
  expect(summaryOf(of(live)).sentence).toContain("The partition is live");
  expect(summaryOf(of(live, { ...live, condition: "stopped", lag_ms: 120_000 }))).toEqual({
    sentence: "1 of 2 partitions needs a look; the latest answers are 2 min behind.",
    mood: "bad",
  });
  expect(summaryOf(of(live, { ...live, condition: "loading" })).mood).toBe("late");
  expect(summaryOf([])).toMatchObject({ mood: "bad" });
});
