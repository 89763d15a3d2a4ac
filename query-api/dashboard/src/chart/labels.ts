/** How a bucket of the chart is named, briefly below the plot and in full elsewhere. */
import { clock, day, dayRange, hour, type Locale } from "../format";
import type { Interval } from "../state/interval";
import { addDays } from "../state/zone";

/** The name below the plot. */
export function shortLabel(label: string, interval: Interval, months: boolean, locale?: Locale): string {
  if (interval === "minute" || interval === "15min") return clock(label.slice(11, 16), locale);
  if (label.length > 10) {
    return label.slice(11, 13) === "00" && months
      ? day(label.slice(0, 10), { day: "numeric", month: "short" }, locale)
      : hour(Number(label.slice(11, 13)), locale);
  }
  if (!months) return day(label, { day: "numeric", month: "short" }, locale);
  return label.slice(5, 7) === "01"
    ? day(label, { year: "numeric" }, locale)
    : day(label, { month: "short" }, locale);
}

/** The full name, for the tooltip, the table and screen readers. */
export function fullLabel(label: string, interval: Interval, locale?: Locale): string {
  const date = label.slice(0, 10);
  if (interval === "month") return day(date, { month: "long", year: "numeric" }, locale);
  if (interval === "week") {
    const weekday = (new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7;
    return dayRange(date, addDays(date, 6 - weekday), locale);
  }
  const said = day(date, { weekday: "short", day: "numeric", month: "short", year: "numeric" }, locale);
  return label.length > 10 ? `${said}, ${clock(label.slice(11, 16), locale)}` : said;
}
