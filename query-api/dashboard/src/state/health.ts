/** How fresh and how complete the figures on display are. */
import type { Meta } from "../api/types";

/** The common claim of all answers of one refresh. */
export interface Health {
  /** Counts refreshes and changes of view; a newer one starts a new claim. */
  generation: string;
  /** The earliest watermark of the answers, in ms; null when one had none. */
  watermark: number | null;
  /** The revision, or the first and last when answers differ. */
  revisions: [number, number] | null;
  /** Most hours of an answer that may still change. */
  openHours: number;
  /** Regions that an answer should have counted and did not. */
  missing: string[];
}

/** More than this behind the clock is worth a word. */
export const LATE_AFTER_MS = 120_000;

/** The claim with one more answer in it. */
export function withAnswer(before: Health | null, generation: string, meta: Meta): Health {
  const parsed = meta.watermark === undefined ? Number.NaN : Date.parse(meta.watermark);
  const watermark = Number.isNaN(parsed) ? null : parsed;
  const found = revisionsOf(meta);
  const openHours = meta.open_hours?.length ?? 0;
  const missing = meta.regions_missing ?? [];
  if (!before || before.generation !== generation) {
    return { generation, watermark, revisions: found, openHours, missing };
  }
  return {
    generation,
    watermark: before.watermark === null || watermark === null ? null : Math.min(before.watermark, watermark),
    revisions:
      before.revisions && found
        ? [Math.min(before.revisions[0], found[0]), Math.max(before.revisions[1], found[1])]
        : (found ?? before.revisions),
    openHours: Math.max(before.openHours, openHours),
    missing: [...new Set([...before.missing, ...missing])],
  };
}

function revisionsOf(meta: Meta): [number, number] | null {
  const numbers =
    typeof meta.revision === "number" ? [meta.revision] : meta.revision ? Object.values(meta.revision) : [];
  return numbers.length === 0 ? null : [Math.min(...numbers), Math.max(...numbers)];
}
