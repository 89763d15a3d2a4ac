/** A query that keeps its previous answer until the next one is there. */
import { useLayoutEffect, useState } from "preact/hooks";
import { ApiError, type Client } from "./client";
import type { Meta, QueryAnswer, QueryBody } from "./types";

/** An answer, the question it belongs to, and what happens now. */
export interface Loaded<Context> {
  answer: QueryAnswer | null;
  /** What the caller passed along with the question that `answer` answers. */
  context: Context | null;
  /** `answer` belongs to the question asked now, not to an earlier one. */
  current: boolean;
  loading: boolean;
  /** Why the question asked now has no newer answer. */
  error: ApiError | null;
}

interface Kept<Context> {
  /** The question that `answer` belongs to. */
  key: string;
  /** The question asked last. */
  asked: string;
  answer: QueryAnswer | null;
  context: Context | null;
  loading: boolean;
  error: ApiError | null;
}

/**
 * Asks `body`, again whenever it or `generation` changes; null asks nothing.
 * `context` is handed back with the answer, so that labels never outrun figures.
 */
export function useQuery<Context>(
  client: Client,
  body: QueryBody | null,
  context: Context,
  generation: number,
  onMeta?: (meta: Meta) => void,
): Loaded<Context> {
  const key = body ? `${client.revision ?? ""} ${JSON.stringify(body)}` : "";
  const [kept, setKept] = useState<Kept<Context>>({
    key: "",
    asked: "",
    answer: null,
    context: null,
    loading: body !== null,
    error: null,
  });
  // `key` stands for body and context; onMeta may change freely.
  // Asked as soon as the page is made, not only when it is painted: that is a frame earlier.
  useLayoutEffect(() => {
    if (!body) {
      setKept({ key, asked: key, answer: null, context: null, loading: false, error: null });
      return;
    }
    const abort = new AbortController();
    setKept((before) => ({
      ...before,
      asked: key,
      loading: true,
      error: before.asked === key ? before.error : null,
    }));
    client.query(body, abort.signal).then(
      (answer) => {
        if (abort.signal.aborted) return;
        setKept({ key, asked: key, answer, context, loading: false, error: null });
        onMeta?.(answer.meta);
      },
      (cause: unknown) => {
        if (abort.signal.aborted) return;
        const error = cause instanceof ApiError ? cause : new ApiError(0, String(cause));
        setKept((before) => ({ ...before, loading: false, error }));
      },
    );
    return () => abort.abort();
  }, [client, key, generation]);
  return {
    answer: kept.answer,
    context: kept.context,
    current: kept.answer !== null && kept.key === key,
    loading: kept.loading,
    error: kept.asked === key ? kept.error : null,
  };
}
