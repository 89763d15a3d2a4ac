/** Listens for shortcuts. */
import { useEffect, useRef } from "preact/hooks";
import { readShortcuts } from "../state/preferences";
import { type Intent, intentOf, takesKeys } from "../state/shortcuts";

/** Calls back with what a key asks for; `true` means that it was done and is nothing else any more. */
export function useKeys(onIntent: (intent: Intent) => boolean): void {
  const latest = useRef(onIntent);
  latest.current = onIntent;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented) return;
      const intent = intentOf(event, readShortcuts() && !takesKeys(event.target));
      if (intent && latest.current(intent)) event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}
