/** How many visitors are on the site now. */
import { useEffect, useState } from "preact/hooks";
import type { Client } from "../api/client";

/** Null until the first answer, and when the API does not say. */
export function usePresent(client: Client, site: string | null, generation: number): number | null {
  const [present, setPresent] = useState<{ site: string; visitors: number } | null>(null);
  // Every generation asks again.
  useEffect(() => {
    if (site === null) return;
    const abort = new AbortController();
    client.currentVisitors(site, abort.signal).then(
      (visitors) => setPresent(Number.isFinite(visitors) ? { site, visitors } : null),
      () => {
        if (!abort.signal.aborted) setPresent(null);
      },
    );
    return () => abort.abort();
  }, [client, site, generation]);
  return present && present.site === site ? present.visitors : null;
}
