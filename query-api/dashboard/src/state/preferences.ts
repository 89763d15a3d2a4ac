/** What a reader chose before on this device: period and comparison by site, appearance, shortcuts. */
import { type Comparison, comparisonParameters, parseComparison } from "./comparison";
import { DEFAULT_PERIOD, type Period, parsePeriod, periodParameters, samePeriod } from "./period";

export interface ViewPreference {
  period: Period;
  comparison: Comparison | null;
}

export type Theme = "system" | "light" | "dark";

const VIEW = "weir.view.";
const THEME = "weir.theme";
const SHORTCUTS = "weir.shortcuts";
const RATE = "weir.rate";

function read(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // Storage is switched off: nothing is remembered.
  }
}

function write(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // As above.
  }
}

/** A view as text, empty for the usual one. Own dates and the present are not worth remembering. */
export function viewText({ period, comparison }: ViewPreference): string {
  const rolling =
    period.kind !== "custom" && period.kind !== "realtime" && !("date" in period && period.date);
  const kept = rolling ? period : DEFAULT_PERIOD;
  const against = comparison?.mode === "custom" ? null : comparison;
  if (samePeriod(kept, DEFAULT_PERIOD) && !against) return "";
  return new URLSearchParams([...periodParameters(kept), ...comparisonParameters(against)]).toString();
}

/** The view of such a text. */
export function viewOf(text: string): ViewPreference | null {
  const parameters = new URLSearchParams(text);
  const parameter = (name: string) => parameters.get(name);
  const period = parsePeriod(parameter);
  return period ? { period, comparison: parseComparison(parameter) } : null;
}

/** The view last chosen for a site (null: for the first one), if it is not the usual one. */
export function readPreference(site: string | null): ViewPreference | null {
  return viewOf(read(`${VIEW}${site ?? ""}`) ?? "");
}

/** Remembers a view of a site. */
export function keepPreference(site: string | null, view: ViewPreference): void {
  write(`${VIEW}${site ?? ""}`, viewText(view) || null);
}

/** The appearance; system by default. */
export function readTheme(): Theme {
  const kept = read(THEME);
  return kept === "light" || kept === "dark" ? kept : "system";
}

/** Shows an appearance, and remembers it. */
export function applyTheme(theme: Theme): void {
  write(THEME, theme === "system" ? null : theme);
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** Whether single keys are shortcuts. */
export function readShortcuts(): boolean {
  return read(SHORTCUTS) !== "off";
}

export function keepShortcuts(on: boolean): void {
  write(SHORTCUTS, on ? null : "off");
}

/** Whether the card shows engagement instead of bounces. */
export function readEngagement(): boolean {
  return read(RATE) === "engagement";
}

export function keepEngagement(on: boolean): void {
  write(RATE, on ? "engagement" : null);
}
