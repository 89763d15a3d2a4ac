/** What measured web vitals say: the value that three of four page loads stay below. */
import type { ResultRow } from "../api/types";
import { numberOf } from "./cells";

export interface Vital {
  name: string;
  label: string;
  meaning: string;
  /** Up to this it is good, beyond the second it is poor. */
  limits: [good: number, poor: number];
  unit: "ms" | "score";
}

export const VITALS: Vital[] = [
  {
    name: "LCP",
    label: "Largest paint",
    meaning: "When the largest part was there",
    limits: [2_500, 4_000],
    unit: "ms",
  },
  {
    name: "INP",
    label: "Response",
    meaning: "How long input waited",
    limits: [200, 500],
    unit: "ms",
  },
  {
    name: "CLS",
    label: "Layout shift",
    meaning: "How much the page jumped",
    limits: [0.1, 0.25],
    unit: "score",
  },
  {
    name: "FCP",
    label: "First paint",
    meaning: "When something was there",
    limits: [1_800, 3_000],
    unit: "ms",
  },
  {
    name: "TTFB",
    label: "First byte",
    meaning: "When the server answered",
    limits: [800, 1_800],
    unit: "ms",
  },
];

export type Verdict = "good" | "fair" | "poor";

export interface Measured {
  /** How many page loads were measured. */
  count: number;
  /** The value that 75% of them do not exceed. */
  value: number;
  verdict: Verdict;
  /** Shares of good, fair and poor loads, of 1. */
  shares: Record<Verdict, number>;
}

/** The verdict on a value. */
export function verdictOf(value: number, [good, poor]: Vital["limits"]): Verdict {
  if (value <= good) return "good";
  return value <= poor ? "fair" : "poor";
}

/** What rows of (value, how often) say; null where nothing was measured. */
export function measure(rows: ResultRow[], vital: Vital): Measured | null {
  const values = rows
    .map((row) => ({ value: Number(row.dimensions[0]), count: numberOf(row.metrics[0]) ?? 0 }))
    .filter(({ value, count }) => Number.isFinite(value) && count > 0)
    .sort((one, other) => one.value - other.value);
  const count = values.reduce((sum, one) => sum + one.count, 0);
  if (count === 0) return null;
  const shares: Record<Verdict, number> = { good: 0, fair: 0, poor: 0 };
  let below = 0;
  let value: number | null = null;
  for (const one of values) {
    shares[verdictOf(one.value, vital.limits)] += one.count / count;
    below += one.count;
    if (value === null && below >= count * 0.75) value = one.value;
  }
  const found = value ?? 0;
  return { count, value: found, verdict: verdictOf(found, vital.limits), shares };
}
