/** Goes from room to room without loading the page anew. */
import { useEffect, useState } from "preact/hooks";
import { parseRoute, type Route } from "./route";

/** Goes to an address of this page, leaving a step to go back to. */
export function go(address: string): void {
  history.pushState(null, "", address);
  scrollTo(0, 0);
  // Whoever follows the address hears of steps back and forth by this event, and so of this one.
  dispatchEvent(new PopStateEvent("popstate"));
}

/** The room that the address names now. */
export function useRoute(): Route {
  const [address, setAddress] = useState(() => location.pathname + location.search);
  useEffect(() => {
    const follow = () => setAddress(location.pathname + location.search);
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);
  const [path = "/", search = ""] = address.split("?", 2);
  return parseRoute(path, search);
}

/** Whether a click on a link asks for nothing but to follow it here. */
export function isPlainClick(event: MouseEvent): boolean {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}
