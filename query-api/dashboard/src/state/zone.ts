/** Days and hours of a time zone. A day is the text `YYYY-MM-DD`; a moment is in ms since 1970. */

const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** What a clock on the wall of the zone shows. */
export interface WallClock {
  date: string;
  hour: number;
  minute: number;
  second: number;
}

/** The zone when this browser knows it, else UTC. */
export function knownZone(zone: string): string {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return zone;
  } catch {
    return "UTC";
  }
}

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    formats.set(zone, format);
  }
  return format;
}

/** The wall clock of the zone at a moment. */
export function wallClock(moment: number, zone: string): WallClock {
  const found: Record<string, string> = {};
  for (const part of formatOf(zone).formatToParts(moment)) found[part.type] = part.value;
  return {
    date: `${found.year}-${found.month}-${found.day}`,
    hour: Number(found.hour),
    minute: Number(found.minute),
    second: Number(found.second),
  };
}

/** The zone's day at a moment. */
export function dateAt(moment: number, zone: string): string {
  return wallClock(moment, zone).date;
}

function offsetAt(moment: number, zone: string): number {
  const clock = wallClock(moment, zone);
  const asUtc =
    Date.parse(`${clock.date}T00:00:00Z`) + ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1000;
  return asUtc - Math.floor(moment / 1000) * 1000;
}

/** The first moment of a day in the zone; some days do not begin at midnight. */
export function startOfDay(date: string, zone: string): number {
  const utc = Date.parse(`${date}T00:00:00Z`);
  let start = utc - offsetAt(utc, zone);
  start = utc - offsetAt(start, zone);
  while (dateAt(start, zone) < date) start += 1_800_000;
  return start;
}

/** The moment of a label of the API's: `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS` on the zone's clock. */
export function momentOf(label: string, zone: string): number {
  if (label.length <= 10) return startOfDay(label, zone);
  const wall = Date.parse(`${label.slice(0, 10)}T${label.slice(11)}Z`);
  const guess = wall - offsetAt(wall, zone);
  return wall - offsetAt(guess, zone);
}

/** The hours of a day in the zone as the API labels them: 23 or 25 clock hours where summer time changes. */
export function hoursOfDay(date: string, zone: string): { label: string; start: number; end: number }[] {
  const end = startOfDay(addDays(date, 1), zone);
  const hours: { label: string; start: number; end: number }[] = [];
  for (let moment = startOfDay(date, zone); moment < end; moment += 1_800_000) {
    const label = `${date} ${String(wallClock(moment, zone).hour).padStart(2, "0")}:00:00`;
    const last = hours.at(-1);
    if (last?.label === label) last.end = moment + 1_800_000;
    else hours.push({ label, start: moment, end: moment + 1_800_000 });
  }
  return hours;
}

/** The day `days` later. */
export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** The first day of the month `months` later. */
export function monthStart(date: string, months: number): string {
  const [year = 0, month = 1] = date.split("-").map(Number);
  return new Date(Date.UTC(year, month - 1 + months, 1)).toISOString().slice(0, 10);
}

/** How many days lie between two days. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MS);
}

/** Whether the text is a day of the calendar. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const moment = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(moment) && new Date(moment).toISOString().startsWith(text);
}
