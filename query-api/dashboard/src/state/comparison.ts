/** What the period on display is compared with. */
import type { Comparisons } from "../api/types";
import type { Period } from "./period";
import { isDate } from "./zone";

export type Comparison =
  | { mode: "previous_period" | "year_over_year"; matchWeekday: boolean }
  | { mode: "custom"; from: string; to: string };

/** Whether a period can be compared: minutes cannot, nor can all time. */
export function canCompare(period: Period): boolean {
  return period.kind !== "realtime" && period.kind !== "all";
}

/** As the API takes it. Without a choice, cards still say how they changed since the period before. */
export function apiComparison(comparison: Comparison | null): Comparisons {
  if (!comparison) return { mode: "previous_period" };
  if (comparison.mode === "custom") {
    return { mode: "custom", date_range: [comparison.from, comparison.to] };
  }
  return comparison.matchWeekday
    ? { mode: comparison.mode, match_day_of_week: true }
    : { mode: comparison.mode };
}

/** A comparison from the parameters of an address, as Plausible writes them. */
export function parseComparison(parameter: (name: string) => string | null): Comparison | null {
  const mode = parameter("comparison");
  if (mode === "previous_period" || mode === "year_over_year") {
    return { mode, matchWeekday: parameter("match_day_of_week") === "true" };
  }
  const [from, to] = [parameter("compare_from") ?? "", parameter("compare_to") ?? ""];
  return mode === "custom" && isDate(from) && isDate(to) && from <= to ? { mode, from, to } : null;
}

/** The parameters that stand for a comparison in an address. */
export function comparisonParameters(comparison: Comparison | null): [name: string, value: string][] {
  if (!comparison) return [];
  if (comparison.mode === "custom") {
    return [
      ["comparison", "custom"],
      ["compare_from", comparison.from],
      ["compare_to", comparison.to],
    ];
  }
  const parameters: [string, string][] = [["comparison", comparison.mode]];
  if (comparison.matchWeekday) parameters.push(["match_day_of_week", "true"]);
  return parameters;
}
