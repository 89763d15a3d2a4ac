/** Ties the page's state to the address bar, the back button included. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { readPreference } from "./preferences";
import { keepShare, namesPeriod, parseState, type State, writeState } from "./url";

/** Changes parts of the state; leaves a step to go back to unless `quietly`. */
export type Change = (part: Partial<State>, quietly?: boolean) => void;

/** The state, and a way to change parts of it. */
export function useUrlState(): [State, Change] {
  const [state, setState] = useState(opening);
  useEffect(() => {
    const follow = () => setState(parseState(location.search));
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);
  const change = useCallback<Change>((part, quietly = false) => {
    const next = { ...parseState(location.search), ...part };
    // Where the reader left another period, the usual one must be said.
    const search = keepShare(location.search, writeState(next, readPreference(next.site) !== null));
    const address = `${location.pathname}${search}`;
    if (search !== location.search) {
      if (quietly) history.replaceState(null, "", address);
      else history.pushState(null, "", address);
    }
    setState(next);
  }, []);
  return [state, change];
}

/** The address's state; where it names no period, the one that the reader last looked at. */
function opening(): State {
  const state = parseState(location.search);
  if (namesPeriod(location.search)) return state;
  const kept = readPreference(state.site);
  if (!kept) return state;
  const next = { ...state, period: kept.period, comparison: state.comparison ?? kept.comparison };
  history.replaceState(null, "", `${location.pathname}${keepShare(location.search, writeState(next, true))}`);
  return next;
}
