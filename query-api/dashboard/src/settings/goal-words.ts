/** Goals in words, and a form's fields as a goal. */
import type { Goal } from "./api";

/** What reaches a goal. */
export function reachedBy(goal: Goal): string {
  const properties = Object.entries(goal.custom_props ?? {}).map(([name, value]) => `${name} is ${value}`);
  const where = properties.length > 0 ? ` where ${properties.join(" and ")}` : "";
  switch (goal.goal_type) {
    case "event":
      return `Event ${goal.event_name ?? ""}${where}`;
    case "page":
      return `Visit of ${goal.page_path ?? ""}${where}`;
    case "scroll":
      return `${goal.scroll_threshold ?? 0} % of ${goal.page_path ?? ""} read${where}`;
  }
}

/** What the form holds. */
export interface Draft {
  kind: Goal["goal_type"];
  event: string;
  path: string;
  percent: string;
  name: string;
  currency: string;
  property: string;
  value: string;
}

export const EMPTY: Draft = {
  kind: "event",
  event: "",
  path: "",
  percent: "75",
  name: "",
  currency: "",
  property: "",
  value: "",
};

/** The goal as the API takes it, or what is wrong with the form. */
export function goalOf(draft: Draft): Record<string, unknown> | { problem: string } {
  const goal: Record<string, unknown> = { goal_type: draft.kind };
  if (draft.kind === "event") {
    if (draft.event.trim() === "") return { problem: "Name the event." };
    goal.event_name = draft.event.trim();
    if (draft.currency.trim() !== "") {
      if (!/^[A-Za-z]{3}$/.test(draft.currency.trim()))
        return { problem: "A currency has three letters, such as EUR." };
      goal.currency = draft.currency.trim().toUpperCase();
    }
  } else {
    if (!draft.path.trim().startsWith("/")) return { problem: "A path begins with /." };
    goal.page_path = draft.path.trim();
  }
  if (draft.kind === "scroll") {
    const percent = Number(draft.percent);
    if (!Number.isInteger(percent) || percent < 1 || percent > 100)
      return { problem: "How far is a whole number from 1 to 100." };
    goal.scroll_threshold = percent;
  }
  if (draft.name.trim() !== "") goal.display_name = draft.name.trim();
  if ((draft.property.trim() === "") !== (draft.value.trim() === "")) {
    return { problem: "A property needs both its name and its value." };
  }
  if (draft.property.trim() !== "") goal.custom_props = { [draft.property.trim()]: draft.value.trim() };
  return goal;
}
