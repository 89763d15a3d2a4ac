/** What is kept with a site beside its figures: segments, notes on the chart, names of properties. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Client } from "../api/client";
import type { Annotation, Segment, Site } from "../api/types";

export interface Kept {
  segments: Segment[];
  annotations: Annotation[];
  properties: string[];
}

const NOTHING: Kept = { segments: [], annotations: [], properties: [] };

/** Asked once for a site, when its figures are there: none of it is waited for. */
export function useSite(client: Client, site: Site | null, ready: boolean): [Kept, () => void] {
  const [kept, setKept] = useState<{ site: string; kept: Kept } | null>(null);
  const [attempt, setAttempt] = useState(0);
  const domain = site?.domain ?? null;
  const readsSite = site?.may?.includes("read_site") ?? false;
  const keepsSegments = site?.may?.includes("keep_segments") ?? false;
  // Every attempt asks again.
  useEffect(() => {
    if (domain === null || !ready) return;
    const abort = new AbortController();
    const name = encodeURIComponent(domain);
    // What this reader may not see, or what fails, is as good as empty.
    const ask = async <Found>(wanted: boolean, path: string): Promise<Found | null> => {
      if (!wanted) return null;
      return client.call("GET", path, undefined, abort.signal).then(
        (found) => found as Found,
        () => null,
      );
    };
    Promise.all([
      ask<Segment[]>(keepsSegments, `/api/segments?site_id=${name}`),
      ask<Annotation[]>(true, `/api/annotations?site_id=${name}`),
      ask<{ custom_properties: { property: string }[] }>(
        readsSite,
        `/api/v1/sites/custom-props?site_id=${name}`,
      ),
    ]).then(([segments, annotations, properties]) => {
      if (abort.signal.aborted) return;
      const names = properties?.custom_properties.map((one) => one.property) ?? [];
      setKept({
        site: domain,
        kept: { segments: segments ?? [], annotations: annotations ?? [], properties: names },
      });
    });
    return () => abort.abort();
  }, [client, domain, ready, readsSite, keepsSegments, attempt]);
  const again = useCallback(() => setAttempt((number) => number + 1), []);
  return [kept && kept.site === domain ? kept.kept : NOTHING, again];
}
