import { describe, expect, it } from "vitest";
import { dayTotals, ledgerAddress, lost, rejectedOf } from "./ledger";

const hour = (at: string, accepted: number, rejected: Record<string, number> = {}) => ({
  hour: at,
  received: accepted + 2,
  accepted,
  rejected,
  deduplicated: 1,
  late: 0,
  bots: 1,
});

describe("the ledger", () => {
  it("adds hours up to local days, newest first", () => {
    const days = dayTotals(
      [
        hour("2026-11-20T22:00:00Z", 5, { url: 1 }),
        hour("2026-11-20T23:00:00Z", 7, { url: 2 }),
        hour("2026-11-21T10:00:00Z", 1, { name: 4 }),
      ],
      "Europe/Berlin",
    );
    expect(days.map(([date, figures]) => [date, figures.accepted])).toEqual([
      ["2026-11-21", 8],
      ["2026-11-20", 5],
    ]);
    expect(days[0]?.[1].rejected).toEqual({ url: 2, name: 4 });
    expect(rejectedOf(days[0]?.[1] ?? hour("", 0))).toBe(6);
  });

  it("counts as lost what was accepted and has no row", () => {
    const balance = { accepted: 10, in_files: 6, in_stream: 3, is_balanced: false };
    expect(lost({ balance })).toBe(1);
    expect(lost({ balance: { ...balance, in_stream: 4, is_balanced: true } })).toBe(0);
  });

  it("is asked for a week", () => {
    expect(ledgerAddress("a b.example", Date.parse("2026-11-21T10:00:00Z"))).toBe(
      "/api/ledger?site_id=a%20b.example&from=2026-11-14",
    );
  });
});
