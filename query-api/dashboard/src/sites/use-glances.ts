/** The figures of many sites, in as few requests as possible. */
import { useEffect, useState } from "preact/hooks";
import type { ApiError, Client } from "../api/client";
import { asApiError } from "../parts/use-resource";
import { type BatchAnswer, type Glance, glanceOf, queriesOf, SITES_AT_A_TIME } from "./overview-queries";

/** By domain; null where the figures of a site were refused. */
export type Glances = Map<string, Glance | null>;

/** Asks for these sites, and again with every `generation`; what is there stays meanwhile. */
export function useGlances(
  client: Client,
  domains: string[],
  generation: number,
): [Glances, ApiError | null] {
  const [glances, setGlances] = useState<Glances>(new Map());
  const [error, setError] = useState<ApiError | null>(null);
  const key = domains.join("\n");
  // `key` stands for the domains; every generation asks again.
  useEffect(() => {
    const abort = new AbortController();
    const asked = key === "" ? [] : key.split("\n");
    const ask = async () => {
      for (let from = 0; from < asked.length; from += SITES_AT_A_TIME) {
        const some = asked.slice(from, from + SITES_AT_A_TIME);
        const body = { queries: some.flatMap(queriesOf), current_visitors: some };
        const answer = (await client.call("POST", "/api/v2/queries", body, abort.signal)) as {
          answers: BatchAnswer[];
          current_visitors?: Record<string, unknown>;
        };
        setGlances((before) => {
          const all = new Map(before);
          some.forEach((domain, index) => {
            const [totals, byDay] = answer.answers.slice(index * 2, index * 2 + 2);
            all.set(domain, glanceOf(totals, byDay, answer.current_visitors?.[domain]));
          });
          return all;
        });
      }
      setError(null);
    };
    ask().catch((cause: unknown) => {
      if (!abort.signal.aborted) setError(asApiError(cause));
    });
    return () => abort.abort();
  }, [client, key, generation]);
  return [glances, error];
}
