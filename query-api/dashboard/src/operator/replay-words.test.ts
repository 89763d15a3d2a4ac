import { expect, it } from "vitest";
import type { Replay } from "./api";
import { stepOf, underWay } from "./replay-words";

const replay = (
  phase: string | null,
  can: string[],
  work: Partial<NonNullable<Replay["work"]>> | null = null,
) => ({ status: phase === null ? null : { phase }, can, work }) as unknown as Replay;

it("knows the next step in every phase", () => {
  expect(stepOf(replay(null, ["plan"]))).toBe(1);
  expect(stepOf(replay(null, ["plan", "run"]))).toBe(1);
  expect(stepOf(replay(null, ["plan", "run"], { action: "plan", state: "done" }))).toBe(2);
  expect(stepOf(replay(null, ["plan", "run"], { action: "plan", state: "failed" }))).toBe(1);
  expect(stepOf(replay("building", ["run", "discard"]))).toBe(2);
  expect(stepOf(replay("built", ["diff", "promote"]))).toBe(3);
  expect(stepOf(replay("built", ["promote"], { action: "diff", state: "done" }))).toBe(4);
  expect(stepOf(replay("built", ["promote"], { action: "diff", state: "failed" }))).toBe(3);
  expect(stepOf(replay("promoted", ["rollback"]))).toBe(4);
  expect(stepOf(replay("rolled_back", ["plan"]))).toBe(1);
});

it("takes a replay that has ended for none", () => {
  expect(underWay(replay("built", []))?.phase).toBe("built");
  expect(underWay(replay("promoted", []))?.phase).toBe("promoted");
  for (const phase of ["rolled_back", "discarded", null]) expect(underWay(replay(phase, []))).toBeNull();
});
