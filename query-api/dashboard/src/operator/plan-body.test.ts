import { expect, it } from "vitest";
import { planBody } from "./plan-body";

it("takes a time of the reader's clock, or a number", () => {
  const local = "2026-11-14T10:00";
  expect(planBody("time", local, "built_in")).toEqual({
    from_time: new Date(local).toISOString(),
    rules: "built_in",
  });
  expect(planBody("seq", "41200", { "sources.csv": "a" })).toEqual({
    from_seq: 41200,
    rules: { "sources.csv": "a" },
  });
});

it("says what is missing", () => {
  for (const body of [
    planBody("time", "", "built_in"),
    planBody("seq", "", "unchanged"),
    planBody("seq", "0", "unchanged"),
    planBody("seq", "1.5", "unchanged"),
    planBody("seq", "1", {}),
  ]) {
    expect(body).toHaveProperty("problem");
  }
});
