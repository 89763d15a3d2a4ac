/** Where the key rests: this tab, or this device when asked to; never an address. */

const NAME = "weir.key";

/** The key kept by an earlier sign-in, or null. */
export function storedKey(): string | null {
  try {
    return sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);
  } catch {
    return null; // Storage is switched off: the key then lives in memory only.
  }
}

/** Keeps the key for this tab, or for this device. */
export function keepKey(key: string, onThisDevice: boolean): void {
  forgetKey();
  try {
    (onThisDevice ? localStorage : sessionStorage).setItem(NAME, key);
  } catch {
    // As above.
  }
}

/** Forgets the key everywhere. */
export function forgetKey(): void {
  try {
    sessionStorage.removeItem(NAME);
    localStorage.removeItem(NAME);
  } catch {
    // As above.
  }
}
