/**
 * The browser's storage, or memory where it is blocked or full.
 *
 * Each waiting event is a key of its own, so tabs never overwrite each other's: `weir <time> <endpoint> <random id>`. Its value is the
 * event's JSON without the last brace.
 */

/** Storage, its contents as properties. */
export let store: Record<string, string> = {};

try {
  store = localStorage || store;
} catch {
  // Blocked, or not a browser.
}

/** Stores a value, in memory if need be. */
export const keep = (key: string, value: string): void => {
  try {
    store[key] = value;
  } catch {
    store = { ...store, [key]: value };
  }
};
