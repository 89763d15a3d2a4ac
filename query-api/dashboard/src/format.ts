/** Figures and dates as the reader's language writes them. */

/** How a metric's values are written. */
export type Unit = "count" | "ratio" | "percent" | "percent1" | "percent2" | "seconds" | "money";

/** The reader's languages; undefined takes the browser's. */
export type Locale = string | undefined;

const NOTHING = "–";
const formats = new Map<string, Intl.NumberFormat>();

function numberFormat(locale: Locale, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = JSON.stringify([locale, options]);
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale, options);
    formats.set(key, format);
  }
  return format;
}

/** A whole number in full up to ten million, shortened beyond. */
export function count(value: number, locale?: Locale): string {
  if (Math.abs(value) < 10_000_000) return numberFormat(locale, {}).format(value);
  return numberFormat(locale, { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

/** A length of time from its seconds: `45s`, `2m 14s`, `1h 2m`. */
export function duration(seconds: number, locale?: Locale): string {
  const whole = Math.round(seconds);
  const part = (value: number, unit: string) =>
    numberFormat(locale, { style: "unit", unit, unitDisplay: "narrow" }).format(value);
  if (whole < 60) return part(whole, "second");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) {
    const rest = whole % 60;
    return rest === 0 ? part(minutes, "minute") : `${part(minutes, "minute")} ${part(rest, "second")}`;
  }
  const rest = minutes % 60;
  const hours = part(Math.floor(minutes / 60), "hour");
  return rest === 0 ? hours : `${hours} ${part(rest, "minute")}`;
}

/** A value of 0 to 100 as a percentage with `digits` decimals. */
export function percent(value: number, locale?: Locale, digits = 0): string {
  return numberFormat(locale, {
    style: "percent",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value / 100);
}

/** A share of a whole; small ones keep a decimal, so that they do not read as none. */
export function share(part: number, whole: number, locale?: Locale): string {
  if (whole <= 0) return NOTHING;
  const value = (part / whole) * 100;
  return percent(value, locale, value < 10 ? 1 : 0);
}

/** An amount of money: whole units from a hundred on, in full below. */
export function money(value: number, currency: string, locale?: Locale): string {
  const large = Math.abs(value) >= 100_000;
  return numberFormat(locale, {
    style: "currency",
    currency,
    currencyDisplay: "narrowSymbol",
    ...(large ? { notation: "compact", maximumFractionDigits: 1 } : {}),
    ...(!large && Math.abs(value) >= 100 ? { maximumFractionDigits: 0 } : {}),
  }).format(value);
}

/** A metric's value; a dash where there is none. */
export function metricValue(
  value: number | null | undefined,
  unit: Unit,
  locale?: Locale,
  currency?: string | null,
): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NOTHING;
  switch (unit) {
    case "count":
      return count(value, locale);
    case "ratio":
      return numberFormat(locale, { maximumFractionDigits: 2 }).format(value);
    case "percent":
      return percent(value, locale);
    case "percent1":
      return percent(value, locale, value < 10 ? 1 : 0);
    case "percent2":
      return percent(value, locale, value < 10 ? 2 : 1);
    case "seconds":
      return duration(value, locale);
    case "money":
      return currency ? money(value, currency, locale) : numberFormat(locale, {}).format(value);
  }
}

/** A value beside the chart's grid, as short as possible. */
export function axisValue(value: number, unit: Unit, locale?: Locale, currency?: string | null): string {
  if (unit === "percent2") return percent(value, locale, value % 1 === 0 ? 0 : 1);
  if (unit === "money" && currency) {
    return numberFormat(locale, {
      style: "currency",
      currency,
      currencyDisplay: "narrowSymbol",
      notation: "compact",
      maximumFractionDigits: 1,
    }).format(value);
  }
  if (unit === "count" && value >= 10_000) {
    return numberFormat(locale, { notation: "compact", maximumFractionDigits: 1 }).format(value);
  }
  return metricValue(value, unit, locale);
}

/**
 * A change in words: `up 27%`, `down 3 points`, `no change`; `new` where there was nothing before, which
 * has no percentage; null where it is not known.
 */
export function changeText(
  change: number | null | undefined,
  unit: Unit,
  before: number | null = null,
  locale?: Locale,
): string | null {
  if (change === null || change === undefined) return null;
  if (before === 0 && change > 0) return "new";
  if (change === 0) return "no change";
  const size = Math.abs(change);
  const isRate = unit.startsWith("percent");
  const amount = isRate
    ? `${numberFormat(locale, { maximumFractionDigits: 1 }).format(size)} ${size === 1 ? "point" : "points"}`
    : size >= 1_000
      ? `${numberFormat(locale, { maximumFractionDigits: 0 }).format(size / 100 + 1)}-fold`
      : percent(size, locale);
  return `${change > 0 ? "up" : "down"} ${amount}`;
}

/** A local day `YYYY-MM-DD` written out; no time zone is involved any more. */
export function day(date: string, options: Intl.DateTimeFormatOptions, locale?: Locale): string {
  return new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" }).format(
    new Date(`${date}T00:00:00Z`),
  );
}

/** Both ends of a range of local days, written once where they share month or year. */
export function dayRange(from: string, to: string, locale?: Locale): string {
  const format = new Intl.DateTimeFormat(locale, {
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });
  const [start, end] = [new Date(`${from}T00:00:00Z`), new Date(`${to}T00:00:00Z`)];
  return from === to ? format.format(start) : format.formatRange(start, end);
}

/** The full hour of a local day, as the clock shows it. */
export function hour(value: number, locale?: Locale): string {
  return new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone: "UTC" }).format(
    new Date(Date.UTC(2000, 0, 1, value)),
  );
}

/** A time of day `HH:MM`, as the clock shows it. */
export function clock(time: string, locale?: Locale): string {
  return new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone: "UTC" }).format(
    new Date(`2000-01-01T${time}:00Z`),
  );
}

/** A country's name from its two-letter code. */
export function country(code: string, locale?: Locale): string {
  if (!/^[A-Z]{2}$/.test(code)) return "Unknown";
  try {
    const name = new Intl.DisplayNames(locale ? [locale] : undefined, {
      type: "region",
      fallback: "code",
    }).of(code);
    return !name || name === code || code === "ZZ" || code === "XX" ? `Unknown (${code})` : name;
  } catch {
    return code;
  }
}

/** The flag of a country code, or nothing when it is none. */
export function flag(code: string): string {
  if (!/^[A-Z]{2}$/.test(code) || code === "ZZ" || code === "XX") return "";
  return String.fromCodePoint(...[...code].map((letter) => 0x1f1e6 + letter.charCodeAt(0) - 65));
}
