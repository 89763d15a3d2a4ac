// The package of the event crate, in a page and in a worker: both give the edge's answers, byte for byte.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { browse, ensure } from './browser.mjs';

const { COLLECTOR, SITE, PACKAGE, WORKER } = process.env;
const TYPES = { '.html': 'text/html', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

const event = { n: 'pageview', u: `https://${SITE}/a`, d: SITE };
const changed = (fields) => ({ ...event, ...fields });
/** Bodies as senders send them. */
const bodies = [
  event,
  [event, event],
  [event, { n: 'x' }, 7, changed({ n: '' })],
  [{ n: 'x' }, []],
  [],
  Array(101).fill(event),
  Array(100).fill(changed({ u: 'data:x' })),
  {},
  'text',
  null,
  changed({ n: 'x'.repeat(121) }),
  changed({ n: { a: 1 } }),
  changed({ u: `https://${SITE}/${'x'.repeat(2000)}` }),
  changed({ u: 'http://a b/' }),
  changed({ u: ['https://a.example'] }),
  changed({ d: '' }),
  changed({ d: 7 }),
  changed({ d: Array.from({ length: 21 }, (_, at) => `s${at}.example`).join() }),
  changed({ r: 7 }),
  changed({ p: { ['k'.repeat(301)]: 'v' } }),
  changed({ p: { k: 'ü'.repeat(1001) } }),
  changed({ p: '{"plan":"pro"}', $: { currency: 'EUR', amount: '1.50' } }),
  changed({ n: 'engagement' }),
  changed({ n: 'engagement', sd: 50, e: 1000 }),
  changed({ id: 'x' }),
  changed({ id: '0'.repeat(32), age: 86_400_001 }),
  changed({ age: 'soon', n: '', u: '' }),
  changed({ id: '00010203-0405-0607-0809-0a0b0c0d0e0f', age: '1000', retry: true, bot: true }),
  changed({ u: 'https://müller.example/ü?utm_source=\ud83d\ude00', d: 'Müller.example' }),
].map((body) => JSON.stringify(body)).concat(['', '{', '[1', '['.repeat(40), '"\\ud800"', '{"n":"x"} x', ' '.repeat(1_000_001)])
  .map((text) => [...new TextEncoder().encode(text)])
  .concat([[0x22, 0xff, 0x22], [0], [0xef, 0xbb, 0xbf, 0x7b, 0x7d]]);

/** What the edge answers. */
async function ask(body) {
  const response = await fetch(`${COLLECTOR}/api/event`, { method: 'POST', body: new Uint8Array(body), headers: { 'content-type': 'text/plain' } });
  return { status: response.status, body: await response.text() };
}

/** Fails on the first answer that is another than the edge's. */
function compare(where, expected, found) {
  ensure(found.length === bodies.length, `${where} gave ${found.length} answers`);
  found.forEach((answer, at) => {
    const [wanted, given] = [JSON.stringify(expected[at]), JSON.stringify(answer)];
    const body = new TextDecoder().decode(new Uint8Array(bodies[at].slice(0, 200)));
    ensure(wanted === given, `${body}: the edge answers ${wanted}, ${where} ${given}`);
  });
  console.log(`${where}: ${found.length} answers, all the edge's`);
}

const server = createServer(async (request, response) => {
  // The strictest policy under which WebAssembly runs.
  response.setHeader('content-security-policy', "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'");
  response.setHeader('content-type', TYPES[path.extname(request.url)] ?? 'text/html');
  if (request.url === '/') response.end('<!doctype html><html lang="en"><title>Package</title><script type="module" src="/browser.mjs"></script>');
  else if (request.url === '/favicon.ico') response.writeHead(204).end();
  else response.end(await readFile(path.join(PACKAGE, path.basename(request.url))));
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));

try {
  const expected = [];
  for (const body of bodies) expected.push(await ask(body));
  ensure(new Set(expected.map((answer) => answer.body)).size > 15, 'the edge says too little');

  await browse(async (page) => {
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const found = await page.evaluate(async (given) => {
      const weir = await import('/browser.mjs');
      return given.map((body) => weir.answer(new Uint8Array(body)));
    }, bodies);
    compare('Chromium', expected, found);

    const there = await page.evaluate(async () => {
      const weir = await import('/browser.mjs');
      const context = { site_id: 7, received_ms: 1795000000000, visitor_id: '18446744073709551615', producer: '0'.repeat(32), number: 1 };
      const bytes = weir.encode({ n: 'pageview', u: 'https://shop.example/ü' }, context);
      const batch = weir.decode(bytes);
      const again = weir.encodeBatch(batch);
      let code;
      try {
        weir.decode(new Uint8Array([255]));
      } catch (error) {
        code = error.code;
      }
      return { pathname: batch.events[0].pathname, visitor: batch.events[0].visitor_id, same: `${again}` === `${bytes}`, code };
    });
    const wanted = { pathname: '/ü', visitor: '18446744073709551615', same: true, code: 'malformed' };
    ensure(JSON.stringify(there) === JSON.stringify(wanted), JSON.stringify(there));
  });

  const worker = await fetch(WORKER, { method: 'POST', body: JSON.stringify(bodies) });
  ensure(worker.status === 200, `the worker answered ${worker.status} ${await worker.clone().text()}`);
  compare('workerd', expected, await worker.json());
} finally {
  server.closeAllConnections();
  server.close();
}
