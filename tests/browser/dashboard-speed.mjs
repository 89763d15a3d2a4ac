// Prints how long the main page takes to its first number on a simulated fast 3G: 150 ms there and back, 1.6 Mbit/s. No test: it measures time.
import { chromium } from 'playwright-core';

const { QUERY, KEY, SITE } = process.env;
const RUNS = 7;
const FAST_3G = { offline: false, latency: 150, downloadThroughput: (1.6 * 1024 * 1024) / 8, uploadThroughput: (0.75 * 1024 * 1024) / 8 };

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
const runs = [];
for (let run = 0; run < RUNS; run += 1) {
  // A new context has an empty cache.
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  await context.request.post(`${QUERY}/api/session`, { data: { key: KEY } });
  await context.addInitScript(() => localStorage.setItem('weir.session', '1'));
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', FAST_3G);
  const transferred = { script: 0, all: 0 };
  const kinds = new Map();
  session.on('Network.responseReceived', ({ requestId, type }) => kinds.set(requestId, type));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    transferred.all += encodedDataLength;
    if (kinds.get(requestId) === 'Script') transferred.script += encodedDataLength;
  });
  await page.goto(`${QUERY}/?site=${SITE}&period=28d`, { waitUntil: 'commit' });
  const first = await page.waitForFunction(() => document.querySelector('[data-metric=visitors]:not(.skeleton)')?.textContent && performance.now());
  const all = await page.waitForFunction(() => document.querySelectorAll('.panel .row').length > 20 && performance.now());
  const atFirst = { ...transferred };
  runs.push({ first: Math.round(await first.jsonValue()), all: Math.round(await all.jsonValue()), script: atFirst.script, bytes: atFirst.all });
  await context.close();
}
await browser.close();
const median = (name) => runs.map((one) => one[name]).sort((one, other) => one - other)[Math.floor(RUNS / 2)];
console.log(`first number ${median('first')} ms, all panels ${median('all')} ms, scripts ${median('script')} bytes, everything ${median('bytes')} bytes (medians of ${RUNS})`);
console.log(JSON.stringify(runs));
