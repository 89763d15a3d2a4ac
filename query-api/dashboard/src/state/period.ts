/** The period on display: which days it covers, and what the API is asked for it. */
import { addDays, daysBetween, isDate, monthStart } from "./zone";

/** Periods that end by themselves, by the name the API gives them. */
export type Rolling = "7d" | "28d" | "30d" | "91d" | "12mo" | "all";

export type Period =
  | { kind: "day"; date: string | null }
  | { kind: Rolling }
  | { kind: "custom"; from: string; to: string };

/** A period on a given day. `from` is null where only the data knows the beginning. */
export interface Range {
  dateRange: string | [string, string];
  from: string | null;
  to: string;
  bucket: "hour" | "day";
}

export const DEFAULT_PERIOD: Period = { kind: "28d" };

/** Most days of a custom range: as many as the API takes. */
export const CUSTOM_DAYS_MAX = 5_000;

const ROLLING_DAYS: Partial<Record<Rolling, number>> = { "7d": 7, "28d": 28, "30d": 30, "91d": 91 };
const NAMES: Record<Rolling, string> = {
  "7d": "Last 7 days",
  "28d": "Last 28 days",
  "30d": "Last 30 days",
  "91d": "Last 91 days",
  "12mo": "Last 12 months",
  all: "All time",
};

/** The periods the picker offers; custom dates stand beside them. */
export function choices(today: string): { label: string; period: Period }[] {
  return [
    { label: "Today", period: { kind: "day", date: null } },
    { label: "Yesterday", period: { kind: "day", date: addDays(today, -1) } },
    ...(Object.keys(NAMES) as Rolling[]).map((kind) => ({ label: NAMES[kind], period: { kind } as Period })),
  ];
}

/** Whether two periods are the same choice. */
export function samePeriod(one: Period, other: Period): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The name of a period; null when its dates say it best. */
export function periodName(period: Period, today: string): string | null {
  if (period.kind === "custom") return null;
  if (period.kind !== "day") return NAMES[period.kind];
  if (period.date === null || period.date === today) return "Today";
  return period.date === addDays(today, -1) ? "Yesterday" : null;
}

/**
 * The days of a period, `today` being the site's local day. As in the API, `Nd` ends
 * yesterday and `12mo` with the last month; today and "all" reach up to now.
 */
export function rangeOf(period: Period, today: string): Range {
  switch (period.kind) {
    case "day": {
      if (period.date === null || period.date === today) {
        return { dateRange: "day", from: today, to: today, bucket: "hour" };
      }
      return { dateRange: [period.date, period.date], from: period.date, to: period.date, bucket: "hour" };
    }
    case "custom":
      return {
        dateRange: [period.from, period.to],
        from: period.from,
        to: period.to,
        bucket: period.from === period.to ? "hour" : "day",
      };
    case "all":
      return { dateRange: "all", from: null, to: today, bucket: "day" };
    case "12mo":
      return {
        dateRange: "12mo",
        from: monthStart(today, -12),
        to: addDays(monthStart(today, 0), -1),
        bucket: "day",
      };
    default: {
      const days = ROLLING_DAYS[period.kind] ?? 28;
      return { dateRange: period.kind, from: addDays(today, -days), to: addDays(today, -1), bucket: "day" };
    }
  }
}

/** A period of dates a reader chose, or what is wrong with them. */
export function customPeriod(from: string, to: string): Period | { problem: string } {
  if (!isDate(from) || !isDate(to)) return { problem: "Enter both dates." };
  if (from > to) return { problem: "The first day must not be after the last." };
  if (daysBetween(from, to) >= CUSTOM_DAYS_MAX) return { problem: "Choose at most 13 years." };
  return from === to ? { kind: "day", date: from } : { kind: "custom", from, to };
}

/** A period from the parameters of an address; anything unreadable is the default. */
export function parsePeriod(parameter: (name: string) => string | null): Period {
  const kind = parameter("period");
  if (kind === "day") {
    const date = parameter("date");
    return { kind: "day", date: date !== null && isDate(date) ? date : null };
  }
  if (kind === "custom") {
    const period = customPeriod(parameter("from") ?? "", parameter("to") ?? "");
    return "problem" in period ? DEFAULT_PERIOD : period;
  }
  if (kind !== null && Object.hasOwn(NAMES, kind)) return { kind: kind as Rolling };
  return DEFAULT_PERIOD;
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
  if (period.kind === "day" && period.date !== null) {
    return [
      ["period", "day"],
      ["date", period.date],
    ];
  }
  return [["period", period.kind]];
}
