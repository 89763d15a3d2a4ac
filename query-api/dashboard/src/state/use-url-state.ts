/** Ties the page's state to the address bar, the back button included. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { keepShare, parseState, type State, writeState } from "./url";

/** The state, and a way to change parts of it that leaves a step to go back to. */
export function useUrlState(): [State, (change: Partial<State>) => void] {
  const [state, setState] = useState(() => parseState(location.search));
  useEffect(() => {
    const follow = () => setState(parseState(location.search));
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);
  const change = useCallback((part: Partial<State>) => {
    const next = { ...parseState(location.search), ...part };
    const search = keepShare(location.search, writeState(next));
    if (search !== location.search) history.pushState(null, "", `${location.pathname}${search}`);
    setState(next);
  }, []);
  return [state, change];
}
