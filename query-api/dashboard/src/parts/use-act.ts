/** One thing that the reader does: whether it goes on, and how it ended. */
import { useCallback, useRef, useState } from "preact/hooks";
import { asApiError } from "./use-resource";

/** How an act stands. */
export interface Act {
  busy: boolean;
  /** Why the last one failed. */
  problem: string | null;
  /** What the last one did, in words. */
  done: string | null;
  /** Does it, unless one goes on; true when it was done. */
  run: (work: () => Promise<string | null>) => Promise<boolean>;
  /** Says what is wrong without doing anything. */
  refuse: (problem: string | null) => void;
}

export function useAct(): Act {
  const [state, setState] = useState<{ busy: boolean; problem: string | null; done: string | null }>({
    busy: false,
    problem: null,
    done: null,
  });
  const going = useRef(false);
  const run = useCallback(async (work: () => Promise<string | null>) => {
    if (going.current) return false;
    going.current = true;
    setState({ busy: true, problem: null, done: null });
    try {
      const done = await work();
      setState({ busy: false, problem: null, done });
      return true;
    } catch (cause) {
      setState({ busy: false, problem: asApiError(cause).message, done: null });
      return false;
    } finally {
      going.current = false;
    }
  }, []);
  const refuse = useCallback((problem: string | null) => setState({ busy: false, problem, done: null }), []);
  return { ...state, run, refuse };
}
