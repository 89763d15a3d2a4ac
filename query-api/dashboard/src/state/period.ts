/** The period on display: which days it covers, and what the API is asked for it. */
import { addDays, daysBetween, isDate, monthStart } from "./zone";

/** Periods that end by themselves, by the name an address gives them. */
export type Rolling = "realtime" | "24h" | "7d" | "28d" | "30d" | "91d" | "6mo" | "12mo" | "all";

/** `date` is a day of the month or year meant; null is the present one. */
export type Period =
  | { kind: "day" | "month" | "year"; date: string | null }
  | { kind: Rolling }
  | { kind: "custom"; from: string; to: string };

/** A period on a given day. `from` is null where only the data knows the beginning. */
export interface Range {
  dateRange: string | [string, string];
  from: string | null;
  /** Its last day, which may lie ahead. */
  to: string;
}

export const DEFAULT_PERIOD: Period = { kind: "28d" };

/** Most days of a custom range: as many as the API takes. */
export const CUSTOM_DAYS_MAX = 5_000;

const ROLLING_DAYS: Partial<Record<Rolling, number>> = { "7d": 7, "28d": 28, "30d": 30, "91d": 91 };
const NAMES: Record<Rolling, string> = {
  realtime: "Last 30 minutes",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "28d": "Last 28 days",
  "30d": "Last 30 days",
  "91d": "Last 91 days",
  "6mo": "Last 6 months",
  "12mo": "Last 12 months",
  all: "All time",
};

/** Whether two periods are the same choice. */
export function samePeriod(one: Period, other: Period): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The name of a period; null when its dates say it best. */
export function periodName(period: Period, today: string): string | null {
  switch (period.kind) {
    case "custom":
      return null;
    case "day":
      if (period.date === null || period.date === today) return "Today";
      return period.date === addDays(today, -1) ? "Yesterday" : null;
    case "month":
      if (period.date === null || period.date.slice(0, 7) === today.slice(0, 7)) return "This month";
      return period.date === monthStart(today, -1) ? "Last month" : null;
    case "year":
      return period.date === null || period.date.slice(0, 4) === today.slice(0, 4) ? "This year" : null;
    default:
      return NAMES[period.kind];
  }
}

/**
 * The days of a period, `today` being the site's local day. As in the API, `Nd` ends
 * yesterday and `Nmo` with the last month; today and "all" reach up to now.
 */
export function rangeOf(period: Period, today: string): Range {
  switch (period.kind) {
    case "day":
      if (period.date === null || period.date === today) return { dateRange: "day", from: today, to: today };
      return dates(period.date, period.date);
    case "month": {
      const first = monthStart(period.date ?? today, 0);
      const last = addDays(monthStart(first, 1), -1);
      return first === monthStart(today, 0)
        ? { dateRange: "month", from: first, to: last }
        : dates(first, last);
    }
    case "year": {
      const year = (period.date ?? today).slice(0, 4);
      const [first, last] = [`${year}-01-01`, `${year}-12-31`];
      return year === today.slice(0, 4) ? { dateRange: "year", from: first, to: last } : dates(first, last);
    }
    case "custom":
      return dates(period.from, period.to);
    case "all":
      return { dateRange: "all", from: null, to: today };
    case "realtime":
      return { dateRange: "30m", from: today, to: today };
    case "24h":
      return { dateRange: "24h", from: addDays(today, -1), to: today };
    case "6mo":
    case "12mo": {
      const months = period.kind === "6mo" ? 6 : 12;
      const last = addDays(monthStart(today, 0), -1);
      return { dateRange: period.kind, from: monthStart(today, -months), to: last };
    }
    default: {
      const days = ROLLING_DAYS[period.kind] ?? 28;
      return { dateRange: period.kind, from: addDays(today, -days), to: addDays(today, -1) };
    }
  }
}

function dates(from: string, to: string): Range {
  return { dateRange: [from, to], from, to };
}

/** A period of dates a reader chose, or what is wrong with them. */
export function customPeriod(from: string, to: string): Period | { problem: string } {
  if (!isDate(from) || !isDate(to)) return { problem: "Enter both dates." };
  if (from > to) return { problem: "The first day must not be after the last." };
  if (daysBetween(from, to) >= CUSTOM_DAYS_MAX) return { problem: "Choose at most 13 years." };
  return from === to ? { kind: "day", date: from } : { kind: "custom", from, to };
}

/**
 * The period as long as this one, just before or after it; null where there is none: at
 * today's end, and for periods that have no neighbours.
 */
export function neighbour(period: Period, today: string, step: -1 | 1): Period | null {
  const range = rangeOf(period, today);
  if (range.from === null || period.kind === "realtime" || period.kind === "24h") return null;
  if (step > 0 && range.to >= today) return null;
  if (period.kind === "day") return dayPeriod(addDays(range.from, step), today);
  if (period.kind === "month") {
    const date = monthStart(range.from, step);
    return { kind: "month", date: date === monthStart(today, 0) ? null : date };
  }
  if (period.kind === "year") {
    const year = Number(range.from.slice(0, 4)) + step;
    return { kind: "year", date: String(year) === today.slice(0, 4) ? null : `${year}-01-01` };
  }
  const days = daysBetween(range.from, range.to) + 1;
  const from = addDays(range.from, step * days);
  const to = addDays(range.to, step * days);
  return from > today ? null : { kind: "custom", from, to: to > today ? today : to };
}

/** The period of one day. */
export function dayPeriod(date: string, today: string): Period {
  return { kind: "day", date: date === today ? null : date };
}

/** A period from the parameters of an address; null when they name none. */
export function parsePeriod(parameter: (name: string) => string | null): Period | null {
  const kind = parameter("period");
  if (kind === "day" || kind === "month" || kind === "year") {
    const date = parameter("date");
    return { kind, date: date !== null && isDate(date) ? date : null };
  }
  if (kind === "custom") {
    const period = customPeriod(parameter("from") ?? "", parameter("to") ?? "");
    return "problem" in period ? null : period;
  }
  return kind !== null && Object.hasOwn(NAMES, kind) ? { kind: kind as Rolling } : null;
}

/** The parameters that stand for a period in an address. */
export function periodParameters(period: Period): [name: string, value: string][] {
  if (period.kind === "custom") {
    return [
      ["period", "custom"],
      ["from", period.from],
      ["to", period.to],
    ];
  }
  if ("date" in period && period.date !== null) {
    return [
      ["period", period.kind],
      ["date", period.date],
    ];
  }
  return [["period", period.kind]];
}
