/** How a bucket of the chart is named, briefly below the plot and in full elsewhere. */
import { day, hour, type Locale } from "../format";

/** The name below the plot. */
export function shortLabel(label: string, months: boolean, locale?: Locale): string {
  if (label.length > 10) return hour(Number(label.slice(11, 13)), locale);
  if (!months) return day(label, { day: "numeric", month: "short" }, locale);
  return label.slice(5, 7) === "01"
    ? day(label, { year: "numeric" }, locale)
    : day(label, { month: "short" }, locale);
}

/** The full name, for the tooltip, the table and screen readers. */
export function fullLabel(label: string, locale?: Locale): string {
  const date = day(
    label.slice(0, 10),
    { weekday: "short", day: "numeric", month: "short", year: "numeric" },
    locale,
  );
  return label.length > 10 ? `${date}, ${hour(Number(label.slice(11, 13)), locale)}` : date;
}
