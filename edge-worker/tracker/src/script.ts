/** The script that web sites load: page views, single-page navigation, custom events, engagement. No cookie, no identifier. */
import type { Options, Outcome, Track } from './api';
import * as page from './page';

/** Built in: whether events are sent from localhost and files too (`script.local.js`). */
declare const LOCAL: boolean;

/** Number of this script's generation, told with every event. */
const VERSION = 1;

const script = document.currentScript as HTMLScriptElement;
const domain = script.dataset.domain || location.hostname;
const endpoint = script.dataset.api || `${new URL(script.src).origin}/api/event`;

/** Why nothing is sent from here, if so. */
const silent = (): string | undefined => {
  if (!LOCAL && (/^localhost$|^127(\.\d+){0,2}\.\d+$|^\[::1?\]$/.test(location.hostname) || location.protocol === 'file:')) return 'localhost';
  const automated = window._phantom || window.__nightmare || navigator.webdriver || window.Cypress;
  if (automated && !window.__plausible) return 'automated browser';
  try {
    if (localStorage.plausible_ignore === 'true') return 'localStorage flag';
  } catch {
    // Storage is blocked: nobody opted out by it.
  }
  return undefined;
};

const send = (body: object, done?: (outcome: Outcome) => void): void => {
  fetch(endpoint, { method: 'POST', keepalive: true, headers: { 'Content-Type': 'text/plain' }, body: JSON.stringify(body) }).then(
    (response) => done?.({ status: response.status }),
    (error: unknown) => done?.({ error }),
  );
};

/** The page that engagement belongs to: the last one that was counted. */
let current: { u: string; p?: Options['props'] } | undefined;

const engagement = (): void => {
  const seen = current && page.report();
  if (seen) send({ n: 'engagement', d: domain, ...current, ...seen, v: VERSION });
};

const track: Track = (name, options = {}) => {
  const why = silent();
  if (why) {
    console.warn('Ignoring event:', name, `(${why})`);
    options.callback?.({});
    return;
  }
  const u = options.url || location.href;
  const p = options.props;
  if (name === 'pageview') {
    engagement();
    current = { u, p };
    page.begin();
  }
  send({ n: name, u, d: domain, r: document.referrer || null, p, $: options.revenue, i: options.interactive, v: VERSION }, options.callback);
};

let path: string | undefined;
const pageview = (): void => {
  if (path === location.pathname) return;
  path = location.pathname;
  track('pageview');
};

const waiting = window.plausible?.q ?? [];
window.plausible = track;
track.l = true;
for (const call of waiting) track(...(call as [string, Options?]));

const pushState = history.pushState;
history.pushState = function (...state) {
  pushState.apply(this, state);
  pageview();
};
addEventListener('popstate', pageview);
addEventListener('pageshow', (event) => {
  if (event.persisted) {
    path = undefined;
    pageview();
  }
});
addEventListener('scroll', page.scrolled, { passive: true });
addEventListener('focus', page.attend);
addEventListener('blur', engagement);
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') engagement();
  else if (path === undefined) pageview();
  else page.attend();
});
// A page that is prerendered or opened in the background counts when it is first seen.
if (document.visibilityState === 'visible') pageview();
