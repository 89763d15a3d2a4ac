/** Moments as a reader says them. */
import type { Locale } from "../format";

/** Day and time of a moment, in a zone (default: the reader's own). */
export function moment(text: string | number, zone?: string, locale?: Locale): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: "short" };
  if (zone) options.timeZone = zone;
  return new Intl.DateTimeFormat(locale, options).format(new Date(text));
}

/** Day of a moment. */
export function dayOf(text: string, zone?: string, locale?: Locale): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: "medium" };
  if (zone) options.timeZone = zone;
  return new Intl.DateTimeFormat(locale, options).format(new Date(text));
}

/** How long ago, in the largest unit that fits: `3 minutes ago`. */
export function ago(ms: number, locale?: Locale): string {
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [1, "second"];
  return format.format(-Math.floor(seconds / size), unit);
}

const UNITS: [number, Intl.RelativeTimeFormatUnit][] = [
  [86_400, "day"],
  [3_600, "hour"],
  [60, "minute"],
  [1, "second"],
];

/** A length of time by which something lags: `120 ms`, `3.4 s`, `12 min`, `2 h`. */
export function lag(ms: number, locale?: Locale): string {
  const part = (value: number, unit: string, digits: number) =>
    new Intl.NumberFormat(locale, {
      style: "unit",
      unit,
      unitDisplay: "short",
      maximumFractionDigits: digits,
    }).format(value);
  const whole = Math.max(0, ms);
  if (whole < 1_000) return part(Math.round(whole), "millisecond", 0);
  if (whole < 90_000) return part(whole / 1_000, "second", whole < 10_000 ? 1 : 0);
  if (whole < 5_400_000) return part(whole / 60_000, "minute", 0);
  if (whole < 129_600_000) return part(whole / 3_600_000, "hour", 0);
  return part(whole / 86_400_000, "day", 0);
}

/** A number of bytes: `3.4 MB`. */
export function bytes(value: number, locale?: Locale): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
  let index = 0;
  let rest = value;
  while (rest >= 1_000 && index < units.length - 1) {
    rest /= 1_000;
    index += 1;
  }
  return new Intl.NumberFormat(locale, {
    style: "unit",
    unit: units[index] ?? "byte",
    unitDisplay: "short",
    maximumFractionDigits: rest < 10 && index > 0 ? 1 : 0,
  }).format(rest);
}
