/** Sends events, and again what could not be sent. The server counts an id once, so sending twice does no harm; losing would. */
import type { Outcome, Payload } from './api';
import { ignored } from './ignore';
import { keep, store } from './store';

/** Longest wait of an event, milliseconds: the collector takes no older ones. */
const LIFE_MS = 864e5;
/** How much may wait, characters. */
const LENGTH_MAX = 6e4;
/** What an event counts beside its own length, so that no more than a hundred wait: the collector takes as many in one request. */
const LENGTH_LEAST = 600;
/** Longest body that may outlive the page, characters of up to three bytes: browsers allow 64 KiB. */
const KEEPALIVE_MAX = 2e4;
/** First pause after a failure, milliseconds; each further is twice as long. */
const PAUSE_MS = 1e3;
/** Pauses after which they begin anew. */
const PAUSES = 9;
/** A batch has up to two to the power of this many events; after each failure half as many, so that one that the server cannot digest does not hold up those after it for ever. */
const BATCH_LOG2 = 7;

/** Events under way. */
const flying: Record<string, string> = {};
/** Attempts that failed since the last success. */
let failures = 0;
/** Set while the server is given a rest. */
let timer: number | undefined;

/** Sends what waits, unless the server is given a rest; `fresh` was not sent before. */
const attempt = (fresh?: string, done?: (outcome?: Outcome) => void): void => {
  const batch: Record<string, string> = {};
  const parts: string[] = [];
  let length = 0;
  // The newest first: what is past a limit goes away.
  for (const key of Object.keys(store).sort().reverse()) {
    const [tag, at, endpoint] = key.split(' ');
    const age = Math.max(0, Date.now() - (at as unknown as number));
    const value = store[key];
    if (tag == 'weir') {
      if (length > LENGTH_MAX || age > LIFE_MS) delete store[key];
      else if (endpoint == settings.endpoint && !(timer || flying[key] || parts.length >> (BATCH_LOG2 - failures))) {
        batch[key] = flying[key] = value;
        parts.unshift(value + (key == fresh ? '}' : `,"age":${age},"retry":true}`));
      }
      length += LENGTH_LEAST + value.length;
    }
  }
  if (parts[0] && !ignored()) {
    const body = parts[1] ? `[${parts}]` : parts[0];
    fetch(settings.endpoint, { method: 'POST', keepalive: body.length < KEEPALIVE_MAX, body })
      .then(
        (response): [number?, (string | number | null)?, unknown?] => [response.status, response.headers.get('retry-after')],
        (error: unknown) => [, 0, error],
      )
      .then(([status, rest, error]) => {
        const taken = (status as number) < 500 && status != 429;
        for (const key in batch) {
          if (taken) delete store[key];
          else keep(key, batch[key]);
          delete flying[key];
        }
        failures = (!taken && (failures % PAUSES) + 1) as number;
        if (failures) timer = setTimeout(flush, Math.max((rest as number) * 1e3, PAUSE_MS << failures) * (1 + Math.random()));
        else flush();
        done?.(error ? { error } : { status: status as number });
      });
  } else done?.();
};

/** Sends what waits, now. */
export const flush = (): void => {
  timer = clearTimeout(timer) as unknown as undefined;
  attempt();
};

/** Sends an event, or lets it wait while the server is given a rest. */
export const send = (payload: Payload, done?: (outcome?: Outcome) => void): void => {
  payload.id = crypto.getRandomValues(new Uint8Array(32)).reduce((id, byte) => id + (byte % 16).toString(16), '');
  const key = `weir ${Date.now()} ${settings.endpoint} ${payload.id}`;
  keep(key, JSON.stringify(payload).slice(0, -1));
  attempt(key, done);
  // Events stay until the answer, because the tab may be closed before it; but not the last words of every page while all goes well.
  if (!failures && navigator.onLine && document.hidden) delete store[key];
};
