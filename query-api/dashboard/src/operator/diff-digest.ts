/** The difference of two histories made short: what moved, once each, and examples that differ. */
import type { Change, Difference, Sample, ValueChange } from "./api";

/** Metrics by how much they tell: a visit moved is read more easily than its events. */
const TELLING = ["visits", "visitors", "pageviews", "events", "revenue_micros", "bounces", "engagement_ms"];

function rank(change: Change): number {
  const at = TELLING.indexOf(change.metric);
  return at < 0 ? TELLING.length : at;
}

/** What moved for one value of a dimension: the most telling figure, and the others. */
export interface Moved {
  lead: ValueChange;
  others: ValueChange[];
}

/** Changes of the same value together, in the order in which values first come. */
export function byValue(changes: ValueChange[]): Moved[] {
  const groups = new Map<string, ValueChange[]>();
  for (const one of changes) {
    const key = JSON.stringify([one.dimension, one.value]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].flatMap((group) => {
    const [lead, ...others] = group.sort((one, other) => rank(one) - rank(other));
    return lead ? [{ lead, others }] : [];
  });
}

/** Totals that change, and those that stay, the most telling first. */
export function divided(totals: Change[]): { changed: Change[]; same: Change[] } {
  const ordered = [...totals].sort((one, other) => rank(one) - rank(other));
  return {
    changed: ordered.filter((one) => one.difference !== 0),
    same: ordered.filter((one) => one.difference === 0 && one.served !== 0),
  };
}

/** Differences of single hours with the rows that no earlier one has shown. */
export function examplesOf(differences: Difference[], most: number): { of: Difference; samples: Sample[] }[] {
  const shown = new Set<string>();
  const examples: { of: Difference; samples: Sample[] }[] = [];
  for (const one of [...differences].sort((a, b) => rank(a) - rank(b))) {
    const samples = one.samples.filter((sample) => {
      const key = JSON.stringify([one.dimension, sample.seq, sample.index, sample.time]);
      return !shown.has(key) && shown.add(key);
    });
    if (samples.length > 0 && examples.length < most) examples.push({ of: one, samples });
  }
  return examples;
}
