/** What the ledger's figures say. */
import type { Ledger, LedgerFigures } from "../api/types";
import { dateAt } from "../state/zone";

const DAYS = 7;

/** Address of a site's ledger of the last week. */
export function ledgerAddress(site: string, now: number): string {
  const from = new Date(now - DAYS * 86_400_000).toISOString().slice(0, 10);
  return `/api/ledger?site_id=${encodeURIComponent(site)}&from=${from}`;
}

/** Accepted events for which there is no row though none was erased. */
export function lost({ balance }: Pick<Ledger, "balance">): number {
  return balance.is_balanced
    ? 0
    : Math.max(0, balance.accepted - (balance.erased ?? 0) - balance.in_files - balance.in_stream);
}

/** Refused events of all reasons. */
export function rejectedOf(figures: LedgerFigures): number {
  return Object.values(figures.rejected).reduce((sum, number) => sum + number, 0);
}

/** The hours' figures by local day, newest first. */
export function dayTotals(hours: Ledger["hours"], zone: string): [date: string, figures: LedgerFigures][] {
  const days = new Map<string, LedgerFigures>();
  for (const { hour, ...figures } of hours) {
    const date = dateAt(Date.parse(hour), zone);
    const before = days.get(date);
    days.set(date, before ? sum(before, figures) : figures);
  }
  return [...days].sort(([one], [other]) => other.localeCompare(one));
}

function sum(one: LedgerFigures, other: LedgerFigures): LedgerFigures {
  const rejected = { ...one.rejected };
  for (const [reason, number] of Object.entries(other.rejected)) {
    rejected[reason] = (rejected[reason] ?? 0) + number;
  }
  return {
    received: one.received + other.received,
    accepted: one.accepted + other.accepted,
    deduplicated: one.deduplicated + other.deduplicated,
    late: one.late + other.late,
    bots: one.bots + other.bots,
    rejected,
  };
}
