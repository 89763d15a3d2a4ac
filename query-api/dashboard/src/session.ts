/** Who reads. A cookie that scripts cannot read stands for the key; the page keeps neither key nor cookie. */
import { ApiError, type Client } from "./api/client";

/** What a reader is and may do. */
export interface Who {
  /** `key`: signed in; `link`: came by a shared link. */
  kind: "key" | "link";
  /** May see the whole system. */
  operator: boolean;
  /** Scopes, such as `stats:read` and `sites:provision`. */
  may: string[];
}

/** A reader who came by a shared link. */
export const GUEST: Who = { kind: "link", operator: false, may: [] };

/** Whether this reader may change how sites are set up. */
export function mayChange(who: Who): boolean {
  return who.operator || who.may.includes("sites:provision");
}

const ADDRESS = "/api/session";
/** Where earlier versions kept keys. */
const KEY_ONCE = "weir.key";
/** Says that there is a session, so that a page without one asks nothing. */
const MARK = "weir.session";

/** Turns a key into a session. */
export async function signIn(client: Client, key: string): Promise<void> {
  await client.call("POST", ADDRESS, { key });
  store((storage) => storage.setItem(MARK, "1"));
}

/** Ends the session. */
export async function signOut(client: Client): Promise<void> {
  forgetSession();
  await client.call("DELETE", ADDRESS);
}

/** Who reads; null when nobody has signed in. */
export async function whoReads(client: Client, signal?: AbortSignal): Promise<Who | null> {
  try {
    const who = (await client.call("GET", ADDRESS, undefined, signal)) as Partial<Who> & {
      kind: string | null;
    };
    if (who.kind !== "key" && who.kind !== "link") return null;
    return { kind: who.kind, operator: who.operator === true, may: who.may ?? [] };
  } catch (cause) {
    if (cause instanceof ApiError && cause.status === 401) return null;
    throw cause;
  }
}

/** Whether this browser signed in and not out again; the session may be over all the same. */
export function expectsSession(): boolean {
  let found = true; // Storage is switched off: only the server knows.
  store((storage) => {
    found = storage.getItem(MARK) !== null;
  });
  return found;
}

/** The session is over. */
export function forgetSession(): void {
  store((storage) => storage.removeItem(MARK));
}

/** Takes away keys that earlier versions of this page kept. */
export function dropKeptKeys(): void {
  store((storage) => storage.removeItem(KEY_ONCE));
  try {
    sessionStorage.removeItem(KEY_ONCE);
  } catch {
    // Storage is switched off: there is no key either.
  }
}

function store(use: (storage: Storage) => void): void {
  try {
    use(localStorage);
  } catch {
    // Storage is switched off.
  }
}
