// Runs named cases, each in a browser context and on a host of its own, a few at a time; tells which failed.
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';
import { recorder } from './recorder.mjs';

/** An ordinary browser's name: that of headless Chromium is a bot's. */
export const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36';
/** How long a case waits for something to become true, milliseconds. */
const WAIT_MS = 15_000;
/** Cases at a time. */
const AT_ONCE = 4;

const cases = [];

/** A case. Its name is told when it fails. */
export const test = (name, run, options = {}) => cases.push({ name, run, options });

export function ensure(condition, text) {
  if (!condition) throw new Error(text);
}

/** Compares as JSON. */
export function equal(found, expected, what = 'value') {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
  ensure(left === right, `${what}: found ${left}, expected ${right}`);
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `look()` gives something true, and returns it. */
export async function until(what, look) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${WAIT_MS} ms`);
    await sleep(20);
  }
}

/** What runs before a page's own scripts. */
const init = (options) => {
  // Automation is exempt where this is set.
  if (!options.automation) window.__plausible = true;
  // Headless pages are always visible and focused: a case says otherwise by these.
  let hidden = Boolean(options.hidden);
  let focused = true;
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (hidden ? 'hidden' : 'visible') });
  document.hasFocus = () => focused && !hidden;
  window.setHidden = (value) => {
    hidden = value;
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  };
  window.setFocused = (value) => {
    focused = value;
    dispatchEvent(new Event(value ? 'focus' : 'blur'));
  };
  // The script's clock, which a case may put forward.
  const { now } = Date;
  let ahead = 0;
  Date.now = () => now() + ahead;
  window.advance = (ms) => { ahead += ms; };
  // A page that is left is hidden, whatever was said, and one that is shown again is not.
  const { get } = Object.getOwnPropertyDescriptor(Document.prototype, 'hidden');
  addEventListener('visibilitychange', (event) => { if (event.isTrusted) hidden = get.call(document); }, true);
};

/** One case's page server, browser context and events. */
async function arrange(browser, shared, { name, options }) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 800 }, ...options.context });
  if (!options.bare) await context.addInitScript(init, options);
  const slug = options.host ?? `c${shared.number++}`;
  const host = options.host ?? `${slug}.example`;
  const origin = `http://${host}:${shared.port}`;
  const complaints = [];
  const mine = () => shared.recorder.sent.filter((entry) => entry.name === slug);
  const its = {
    name, slug, context, origin, complaints,
    collector: shared.recorder.url,
    away: (answer) => (answer ? shared.recorder.away.set(slug, answer) : shared.recorder.away.delete(slug)),
    /** Serves this HTML at every path of the case's host. */
    serve: (html, headers = {}) => shared.pages.set(host, { html: `<!doctype html><html lang="en"><link rel="icon" href="data:,">${html}`, headers }),
    /** The script's element with these attributes. */
    script: (file = 'script.js', attributes = '') =>
      `<script defer data-domain="${shared.site}" src="${shared.recorder.url}/js/${file}" ${attributes}></script>`,
    open: async (path = '/', page = undefined) => {
      const opened = page ?? (await context.newPage());
      opened.setDefaultTimeout(WAIT_MS);
      opened.on('pageerror', (error) => complaints.push(`page error: ${error}`));
      opened.on('console', (message) => {
        if (message.type() === 'error' && !/Failed to load resource|ERR_/.test(message.text())) complaints.push(message.text());
      });
      await opened.goto(`${origin}${path}`);
      return opened;
    },
    /** What was sent, in order; `kind` is an event's name. */
    entries: (kind) => mine().filter((entry) => !kind || entry.event.n === kind),
    /** The events themselves, each once however often it was sent. */
    events: (kind) => [...new Map(its.entries(kind).map(({ event }, index) => [event.id ?? index, event]).reverse()).values()].reverse(),
    /** Waits for that many events of a kind and returns them. */
    wait: (kind, count = 1) =>
      until(`${count} × ${kind}; sent: ${JSON.stringify(its.entries().map((entry) => [entry.event.n, entry.event.u, entry.status]))}`, () =>
        its.entries(kind).every((entry) => entry.status) && its.events(kind).length >= count && its.events(kind)),
    /** Waits until what was sent is answered, then fails if there is more of a kind than this. */
    exactly: async (kind, count, settle = 300) => {
      await its.wait(kind, count);
      await sleep(settle);
      equal(its.events(kind).length, count, `${kind} events`);
      return its.events(kind);
    },
    paths: (kind = 'pageview') => its.events(kind).map((event) => new URL(event.u).pathname + new URL(event.u).hash),
    sleep,
  };
  return its;
}

/** Runs all cases and ends the process: prints what the collector took, as JSON, or fails with the names of the failed. */
export async function main({ collector, site }) {
  const only = process.env.ONLY;
  const shared = { recorder: await recorder(collector), pages: new Map(), number: 0, site };
  const server = createServer((incoming, outgoing) => {
    const page = shared.pages.get(incoming.headers.host?.split(':')[0]);
    const { html, headers, status } = (typeof page?.html === 'function' ? page.html(incoming) : page) ?? { html: '', headers: {}, status: 404 };
    const code = incoming.url.startsWith('/missing') ? 404 : (status ?? 200);
    outgoing.writeHead(code, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(html);
  });
  await new Promise((listening) => server.listen(0, '0.0.0.0', listening));
  shared.port = server.address().port;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    // Not by the context: that is forgotten when a page is left, and its last words would be a bot's.
    args: [`--user-agent=${USER_AGENT}`, '--host-resolver-rules=MAP *.example 127.0.0.1', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
  });
  const failed = [];
  const queue = cases.filter(({ name }) => !only || name.includes(only));
  const total = queue.length;
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const started = Date.now();
      let its;
      try {
        its = await arrange(browser, shared, next);
        await next.run(its);
        equal(its.complaints, [], 'complaints of the page');
        for (const page of its.context.pages()) await page.close();
        equal(await its.context.cookies(), [], 'cookies');
        console.log(`ok ${next.name} (${Date.now() - started} ms)`);
      } catch (error) {
        failed.push(next.name);
        const sent = its?.entries().map(({ event, status, batch }) => [event.n, event.u, event.id, event.age, status, batch]);
        console.log(`FAILED ${next.name}: ${error.stack}\n${(its?.complaints ?? []).join('\n')}\nsent: ${JSON.stringify(sent)}`);
      } finally {
        await its?.context.close();
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    equal(shared.recorder.cookies, [], 'cookies on the wire');
  } finally {
    await browser.close();
    // Last words of the pages.
    await sleep(300);
    await until('answers', () => shared.recorder.sent.every((entry) => entry.status));
    server.closeAllConnections();
    server.close();
    shared.recorder.close();
  }
  if (failed.length) {
    console.error(`${failed.length} of ${total} cases failed: ${failed.join('; ')}`);
    process.exit(1);
  }
  // What must be counted: by site and name, every event that was taken, once.
  const counted = {};
  const ids = new Set();
  for (const { event, status, dropped, text } of shared.recorder.sent) {
    if (status !== 202 || dropped || text !== 'ok' || event.n === 'engagement' || ids.has(event.id)) continue;
    if (event.id) ids.add(event.id);
    const of = (counted[event.d.replace(/^www\./, '')] ??= {});
    of[event.n] = (of[event.n] ?? 0) + 1;
  }
  console.log(`COUNTED ${JSON.stringify(counted)}`);
  console.log(`${total} cases passed`);
}
