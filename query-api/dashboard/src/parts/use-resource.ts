/** Something the server knows, kept while it is asked for again. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api/client";

/** What is known of it. */
export interface Resource<Value> {
  value: Value | null;
  /** Why it is not known, or not known anew. */
  error: ApiError | null;
  /** Asks again. */
  reload: () => void;
  /** Takes what a change was answered with. */
  put: (value: Value) => void;
}

/**
 * Asks for it whenever `name` changes, and every `everyMs` while the page is seen. The next question
 * waits for the answer before.
 */
export function useResource<Value>(
  name: string,
  ask: (signal: AbortSignal) => Promise<Value>,
  everyMs?: number,
): Resource<Value> {
  const [kept, setKept] = useState<{ name: string; value: Value | null; error: ApiError | null }>({
    name,
    value: null,
    error: null,
  });
  const [attempt, setAttempt] = useState(0);
  const latest = useRef(ask);
  latest.current = ask;
  // `name` stands for the question; every attempt asks it again.
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = () => {
      if (everyMs !== undefined) timer = setTimeout(again, everyMs);
    };
    const again = () => (document.visibilityState === "visible" ? once() : later());
    const once = () => {
      latest.current(abort.signal).then(
        (value) => {
          if (abort.signal.aborted) return;
          setKept({ name, value, error: null });
          later();
        },
        (cause: unknown) => {
          if (abort.signal.aborted) return;
          const error = asApiError(cause);
          setKept((before) => ({ name, value: before.name === name ? before.value : null, error }));
          later();
        },
      );
    };
    once();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [name, attempt, everyMs]);
  const reload = useCallback(() => setAttempt((number) => number + 1), []);
  const put = useCallback((value: Value) => setKept({ name, value, error: null }), [name]);
  const isSame = kept.name === name;
  return { value: isSame ? kept.value : null, error: isSame ? kept.error : null, reload, put };
}

/** Whatever was thrown as an error of the API. */
export function asApiError(cause: unknown): ApiError {
  return cause instanceof ApiError ? cause : new ApiError(0, String(cause));
}
