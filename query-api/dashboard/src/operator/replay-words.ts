/** Where a replay stands, and what is asked before it goes further. */
import type { Action, Replay, ReplayStatus } from "./api";

/** The replay that goes on; null when the last one has ended. */
export function underWay({ status }: Replay): ReplayStatus | null {
  return status && status.phase !== "rolled_back" && status.phase !== "discarded" ? status : null;
}

/** The step that is to be taken next, 1 to 4. */
export function stepOf({ status, work }: Replay): 1 | 2 | 3 | 4 {
  if (status?.phase === "promoted" || status?.phase === "promoting" || status?.phase === "rolling_back")
    return 4;
  if (status?.phase === "built") return work?.action === "diff" && work.state === "done" ? 4 : 3;
  if (status?.phase === "building") return 2;
  return work?.action === "plan" && work.state === "done" ? 2 : 1;
}

const DOING: Record<Action, string> = {
  plan: "Planning",
  run: "Building",
  diff: "Comparing",
  promote: "Switching to the new history",
  rollback: "Going back to the former history",
  discard: "Discarding",
  stop: "Stopping",
  flush: "Sealing what was received",
};

/** What an action does, while it goes on. */
export function doing(action: Action): string {
  return DOING[action];
}

export type Question = "promote" | "rollback" | "discard" | "keep";

export const QUESTIONS: Record<
  Question,
  { action: Action; title: string; act: string; text: string; grave: boolean }
> = {
  promote: {
    action: "promote",
    title: "Serve the new history?",
    act: "Serve it",
    text: "Every reader sees the new figures from then on. Nothing is lost: for seven days the former history is a step away.",
    grave: false,
  },
  rollback: {
    action: "rollback",
    title: "Go back to the former history?",
    act: "Go back",
    text: "The figures from before come back, together with everything received since.",
    grave: false,
  },
  discard: {
    action: "discard",
    title: "Discard what was built?",
    act: "Discard it",
    text: "Its files are deleted. What is served stays as it is.",
    grave: true,
  },
  keep: {
    action: "discard",
    title: "Give up the way back?",
    act: "Give it up",
    text: "The former history is deleted. What is served stays as it is.",
    grave: true,
  },
};
