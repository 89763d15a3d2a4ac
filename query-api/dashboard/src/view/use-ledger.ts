/** Asks, once the figures are there, whether any event was lost; answers no view waits for. */
import { useEffect, useState } from "preact/hooks";
import type { Client } from "../api/client";
import type { Ledger } from "../api/types";
import { ledgerAddress, lost } from "../report/ledger";

const EVERY_MS = 300_000;

/** Events lost and accepted within a week; null until it is known. */
export interface Account {
  site: string;
  lost: number;
  accepted: number;
}

export function useLedger(client: Client, site: string | null, ready: boolean): Account | null {
  const [account, setAccount] = useState<Account | null>(null);
  useEffect(() => {
    if (site === null || !ready) return;
    const abort = new AbortController();
    const ask = () =>
      client.call("GET", ledgerAddress(site, client.now()), undefined, abort.signal).then(
        (found) => {
          const answer = found as Ledger;
          setAccount({ site, lost: lost(answer), accepted: answer.totals.accepted });
        },
        () => {
          if (!abort.signal.aborted) setAccount(null);
        },
      );
    ask();
    const timer = setInterval(() => document.visibilityState === "visible" && ask(), EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [client, site, ready]);
  return account?.site === site ? account : null;
}
