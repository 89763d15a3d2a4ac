// How scripts are served: strict Content-Security-Policy, integrity, caching, no cookie.
import { createHash } from 'node:crypto';
import { ensure, equal, test } from './harness.mjs';

const digest = (text) => `sha384-${createHash('sha384').update(text).digest('base64')}`;

test('Serving: entry address, integrity, immutable address, 304', async (its) => {
  for (const file of ['script.js', 'script.outbound-links.local.js', 'vitals.js', `pa-${process.env.SCRIPT_ID}.js`]) {
    const entry = await fetch(`${its.collector}/js/${file}`);
    const text = await entry.text();
    const header = (name) => entry.headers.get(name);
    equal([entry.status, header('content-type'), header('access-control-allow-origin'), header('cross-origin-resource-policy'), header('x-content-type-options')],
      [200, 'text/javascript; charset=utf-8', '*', 'cross-origin', 'nosniff'], file);
    ensure(Number(/max-age=(\d+)/.exec(header('cache-control'))[1]) <= 3600, header('cache-control'));
    equal(header('x-integrity'), digest(text), file);
    equal(header('set-cookie'), null);
    const pinned = await fetch(its.collector + header('content-location'));
    equal([pinned.status, await pinned.text() === text, pinned.headers.get('cache-control')], [200, true, 'public, max-age=31536000, immutable'], file);
    const again = await fetch(`${its.collector}/js/${file}`, { headers: { 'if-none-match': header('etag') } });
    equal([again.status, await again.text(), again.headers.get('etag')], [304, '', header('etag')], file);
    const other = await fetch(`${its.collector}/js/h/${'0'.repeat(32)}/${file}`, { redirect: 'manual' });
    equal([other.status, other.headers.get('location'), other.headers.get('cache-control')], [302, `/js/${file}`, 'no-store'], file);
  }
  equal((await fetch(`${its.collector}/js/script.js`, { method: 'POST' })).status, 405);
});

test('Serving: compressed when asked', async (its) => {
  const { request } = await import('node:http');
  const bytes = await new Promise((done, failed) => {
    request(`${its.collector}/js/script.js`, { headers: { 'accept-encoding': 'gzip, br' } }, async (answer) => {
      let length = 0;
      for await (const chunk of answer) length += chunk.length;
      done([answer.headers['content-encoding'], length]);
    }).on('error', failed).end();
  });
  equal(bytes[0], 'gzip');
  ensure(bytes[1] < 1700, `${bytes[1]} bytes`);
});

test('Serving: a page with a strict Content-Security-Policy and integrity', async (its) => {
  const entry = await fetch(`${its.collector}/js/script.outbound-links.web-vitals.js`);
  const integrity = digest(await entry.text());
  its.serve(`<script defer data-domain="tracker.example" src="${its.collector}${entry.headers.get('content-location')}"
    integrity="${integrity}" crossorigin="anonymous"></script><h1>Strict</h1>`, {
    'content-security-policy': `default-src 'none'; script-src ${its.collector}; connect-src ${its.collector}; img-src data:`,
  });
  const page = await its.open('/strict');
  await its.exactly('pageview', 1);
  // The web vitals are another file, which the script loads with an integrity of its own.
  await page.waitForFunction(() => performance.getEntriesByType('resource').some((entry) => entry.name.endsWith('/vitals.js') && entry.responseEnd));
  await its.sleep(200);
  await page.goto(`${its.origin}/next`);
  await its.wait('Web Vitals');
  await its.exactly('engagement', 1);
});

test('Serving: changed bytes are refused by integrity', async (its) => {
  its.serve(`<script data-domain="tracker.example" src="${its.collector}/js/script.js" integrity="${digest('other')}" crossorigin="anonymous"></script>`);
  const page = await its.context.newPage();
  await page.goto(its.origin);
  await its.sleep(300);
  equal(its.events(), []);
});
