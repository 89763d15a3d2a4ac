/** Counts refreshes: by the clock while the page is seen, at once when it is seen again. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

/** The number of the present refresh, and a way to ask for the next one now. */
export function useRefresh(everyMs: number): [number, () => void] {
  const [generation, setGeneration] = useState(0);
  const last = useRef(performance.now());
  const refresh = useCallback(() => {
    last.current = performance.now();
    setGeneration((number) => number + 1);
  }, []);
  useEffect(() => {
    const due = () => {
      if (document.visibilityState === "visible" && performance.now() - last.current >= everyMs - 50)
        refresh();
    };
    const timer = setInterval(due, everyMs);
    document.addEventListener("visibilitychange", due);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", due);
    };
  }, [everyMs, refresh]);
  return [generation, refresh];
}
