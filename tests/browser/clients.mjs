// Clients made for Plausible, unmodified but for the host they send to, and our own npm package: bundled as a site would, in a real browser
// against the real collector; and one that runs on a server.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensure, equal, main, test, USER_AGENT } from './harness.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { SCRATCH } = process.env;

/** A page with this module in it, bundled. */
const page = (name, source) => {
  const bundled = join(SCRATCH, `${name}.js`);
  execFileSync(join(here, '../../.tools/bin/esbuild'), ['--bundle', '--format=iife', '--log-level=error', `--outfile=${bundled}`], {
    cwd: here, input: source, stdio: ['pipe', 'inherit', 'inherit'],
  });
  return `<h1>Shop</h1><a id="out" href="https://other.test/" onclick="return false">out</a> <a id="file" href="/a.pdf" onclick="return false">file</a>
    <button class="plausible-event-name=Tagged plausible-event-size=XL">tagged</button>
    <form onsubmit="return false"><input name="a"><button id="send">send</button></form><script>${readFileSync(bundled, 'utf8').replaceAll('</script', '<\\/script')}</script>`;
};

test('@plausible-analytics/tracker', async (its) => {
  its.serve(page('official', `import { init, track } from '@plausible-analytics/tracker';
    init({ domain: 'official.example', endpoint: '${its.collector}/api/event', outboundLinks: true, fileDownloads: true, formSubmissions: true });
    window.track = track;`));
  const opened = await its.open('/first');
  await its.wait('pageview');
  await opened.evaluate(() => history.pushState({}, '', '/second'));
  await its.wait('pageview', 2);
  const outcome = await opened.evaluate(() => new Promise((callback) => window.track('Purchase', {
    props: { plan: 'pro' }, revenue: { currency: 'EUR', amount: 12.5 }, callback,
  })));
  equal(outcome, { status: 202 });
  for (const [id, kind] of [['#out', 'Outbound Link: Click'], ['#file', 'File Download'], ['#send', 'Form: Submission'], ['button', 'Tagged']]) {
    await opened.click(id);
    await its.wait(kind);
  }
  await opened.evaluate(() => setHidden(true));
  await its.wait('engagement', 2);
  for (const entry of its.entries()) equal([entry.status, entry.text, entry.dropped], [202, 'ok', undefined], entry.event.n);
  ensure(its.events().every((event) => event.v === 36), 'the version of the client');
});

test('plausible-tracker', async (its) => {
  its.serve(page('older', `import Plausible from 'plausible-tracker';
    const plausible = Plausible({ domain: 'older.example', apiHost: '${its.collector}' });
    plausible.enableAutoPageviews();
    plausible.enableAutoOutboundTracking();
    window.plausible = plausible;`));
  const opened = await its.open('/first');
  await its.wait('pageview');
  await opened.evaluate(() => history.pushState({}, '', '/second'));
  await its.wait('pageview', 2);
  await opened.evaluate(() => new Promise((callback) => window.plausible.trackEvent('Signup', { callback, props: { plan: 'pro' } })));
  await opened.click('#out');
  await its.wait('Outbound Link: Click');
  for (const entry of its.entries()) equal([entry.status, entry.text, entry.dropped], [202, 'ok', undefined], entry.event.n);
  its.complaints.length = 0;
});

test('@weir/tracker', async (its) => {
  its.serve(page('ours', `import { DEFAULT_FILE_TYPES, init, track } from '@weir/tracker';
    import { webVitals } from '@weir/tracker/vitals';
    let early;
    try { track('Early'); } catch (error) { early = error.message; }
    const settings = { domain: 'ours.example', endpoint: '${its.collector}/api/event', outboundLinks: true, fileDownloads: true, formSubmissions: true };
    init(settings);
    let twice;
    try { init(settings); } catch (error) { twice = error.message; }
    if (location.pathname === '/first') webVitals(track);
    Object.assign(window, { track, result: [early, twice, DEFAULT_FILE_TYPES.includes('pdf'), window.plausible.s] });`));
  const opened = await its.open('/first');
  await its.wait('pageview');
  equal(await opened.evaluate(() => window.result), ['track() can only be called after init()', 'init() can only be called once', true, 'npm']);
  await opened.evaluate(() => history.pushState({}, '', '/second'));
  await its.wait('pageview', 2);
  await opened.evaluate(() => new Promise((callback) => window.track('Purchase', { revenue: { currency: 'EUR', amount: 12.5 }, callback })));
  for (const [id, kind] of [['#out', 'Outbound Link: Click'], ['#file', 'File Download'], ['#send', 'Form: Submission'], ['button', 'Tagged']]) {
    await opened.click(id);
    await its.wait(kind);
  }
  its.away({ status: 503 });
  await opened.evaluate(() => window.track('Later'));
  await its.wait('Later');
  its.away();
  await opened.goto(`${its.origin}/third`);
  await its.wait('Web Vitals');
  await its.wait('pageview', 3);
  await its.sleep(500);
  ensure(its.entries('Later').some((entry) => entry.status === 202 && entry.event.retry), 'sent again on the next page');
});

test('plausible-client on a server', async (its) => {
  const { Plausible } = createRequire(import.meta.url)('plausible-client');
  // What the program around the library adds: whose visit it is. The library itself has no place for that.
  const plain = globalThis.fetch;
  globalThis.fetch = (url, options) =>
    plain(url, { ...options, headers: { ...options?.headers, ...(`${url}`.endsWith('/api/event') ? { 'user-agent': USER_AGENT, 'x-forwarded-for': '198.18.7.7' } : {}) } });
  try {
    const client = new Plausible({
      apiHost: its.collector, domain: 'server.example', transform: (data) => ({ ...data, url: `${its.origin}/from-server`, referrer: null, deviceWidth: 0 }),
    });
    await client.sendEvent('pageview');
    await client.trackEvent('Order', { props: { plan: 'pro' }, revenue: { currency: 'EUR', amount: '9.99' } });
  } finally {
    globalThis.fetch = plain;
  }
  for (const entry of its.entries()) equal([entry.status, entry.text, entry.dropped], [202, 'ok', undefined], entry.event.n);
  equal(its.entries().length, 2);
});

writeFileSync(join(SCRATCH, '.keep'), '');
await main({ collector: process.env.COLLECTOR, site: '' });
