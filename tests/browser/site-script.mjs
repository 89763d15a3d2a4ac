// The per-site script and `plausible.init`.
import { ensure, equal, test } from './harness.mjs';

const file = () => `pa-${process.env.SCRIPT_ID}.js`;
const stay = '<script>addEventListener("click", (event) => event.preventDefault(), true)</script>';
/** Plausible's snippet, with these options as source text. */
const snippet = (its, options = '') => `<script async src="${its.collector}/js/${file()}"></script>
<script>window.plausible=window.plausible||function(){(plausible.q=plausible.q||[]).push(arguments)},plausible.init=plausible.init||function(i){plausible.o=i||{}};
plausible.init(${options})</script>`;

test('init: the site is known, settings of the site are on', async (its) => {
  its.serve(`${snippet(its)}${stay}<a id="out" href="https://other.test/">out</a> <a id="file" href="/a.zip">a</a>
    <form onsubmit="return false"><button>send</button></form>`);
  const page = await its.open('/page');
  const [event] = await its.exactly('pageview', 1);
  equal([event.d, event.u], [process.env.SITE, `${its.origin}/page`]);
  await page.click('#out');
  await page.click('#file');
  await page.evaluate(() => document.querySelector('form').dispatchEvent(new Event('submit', { bubbles: true, cancelable: true })));
  await its.exactly('Outbound Link: Click', 1);
  await its.exactly('File Download', 1);
  equal((await its.exactly('Form: Submission', 1))[0].p, { path: '/page' });
  ensure(await page.evaluate(() => plausible.l && plausible.v > 0 && plausible.s === 'web'), 'plausible.l, v, s');
});

test('init: called after the script has loaded', async (its) => {
  its.serve(`<script src="${its.collector}/js/${file()}"></script><script>plausible.init({ customProperties: { a: '1' } }); plausible('Signup')</script>`);
  await its.open();
  equal((await its.exactly('Signup', 1))[0].p, { a: '1' });
  await its.exactly('pageview', 1);
});

test('init: without it nothing is counted', async (its) => {
  its.serve(`<script src="${its.collector}/js/${file()}"></script>`);
  await its.open();
  await its.sleep(300);
  equal(its.events(), []);
});

test('init: calls before the script wait in q', async (its) => {
  its.serve(`<script>window.plausible=window.plausible||function(){(plausible.q=plausible.q||[]).push(arguments)},plausible.init=plausible.init||function(i){plausible.o=i||{}};
    plausible.init(); plausible('Early', {props: {a: 1}})</script><script defer src="${its.collector}/js/${file()}"></script>`);
  await its.open();
  equal((await its.exactly('Early', 1))[0].p, { a: 1 });
});

test('init: domain, endpoint, autoCapturePageviews, hashBasedRouting', async (its) => {
  its.serve(snippet(its, `{ domain: 'www.${process.env.SITE}', endpoint: '${its.collector}/api/event?from=init', autoCapturePageviews: false, hashBasedRouting: true }`));
  const page = await its.open('/x#y');
  await page.waitForFunction(() => window.plausible.l);
  await page.evaluate(() => { history.pushState({}, '', '/z'); });
  await its.sleep(200);
  equal(its.events(), []);
  its.serve(snippet(its, `{ domain: 'www.${process.env.SITE}', hashBasedRouting: true }`));
  await page.goto(`${its.origin}/x?2#y`);
  await page.evaluate(() => { location.hash = 'z'; });
  const events = await its.exactly('pageview', 2);
  equal(events.map((event) => [event.d, event.h]), [[`www.${process.env.SITE}`, 1], [`www.${process.env.SITE}`, 1]]);
});

test('init: outboundLinks, fileDownloads and formSubmissions can be switched off', async (its) => {
  its.serve(`${snippet(its, '{ outboundLinks: false, fileDownloads: false, formSubmissions: false }')}${stay}
    <a id="out" href="https://other.test/">out</a> <a id="file" href="/a.zip">a</a> <button class="plausible-event-name=Tagged">b</button>`);
  const page = await its.open();
  await its.wait('pageview');
  for (const id of ['#out', '#file', 'button']) await page.click(id);
  await its.exactly('Tagged', 1);
  equal(its.events().filter((event) => !['engagement'].includes(event.n)).map((event) => event.n), ['pageview', 'Tagged']);
});

test('init: fileDownloads with fileExtensions', async (its) => {
  its.serve(`${snippet(its, "{ fileDownloads: { fileExtensions: ['iso'] } }")}${stay}<a id="a" href="/a.iso">a</a> <a id="b" href="/b.pdf">b</a>`);
  const page = await its.open();
  await its.wait('pageview');
  await page.click('#b');
  await page.click('#a');
  equal((await its.exactly('File Download', 1))[0].p, { url: `${its.origin}/a.iso` });
});

test('init: captureOnLocalhost', async (its) => {
  its.serve(snippet(its, '{ captureOnLocalhost: true }'));
  await its.open();
  await its.exactly('pageview', 1);
}, { host: '127.0.0.8' });

test('init: logging', async (its) => {
  const warnings = [];
  its.serve(snippet(its));
  const page = await its.context.newPage();
  page.on('console', (message) => { if (message.type() === 'warning') warnings.push(message.text()); });
  await its.open('/', page);
  await page.waitForFunction(() => window.plausible.l);
  equal(warnings, ['Ignored: localhost']);
  its.serve(snippet(its, '{ logging: false }'));
  await page.reload();
  await page.waitForFunction(() => window.plausible.l);
  equal(warnings.length, 1);
}, { host: '127.0.0.6' });

test('init: customProperties as object and as function', async (its) => {
  its.serve(snippet(its, "{ customProperties: { author: 'Jane', plan: 'free' } }"));
  const page = await its.open();
  equal((await its.wait('pageview'))[0].p, { author: 'Jane', plan: 'free' });
  await page.evaluate(() => window.plausible('Signup', { props: { plan: 'pro' } }));
  equal((await its.wait('Signup'))[0].p, { author: 'Jane', plan: 'pro' });
  its.serve(snippet(its, '{ customProperties: (name) => ({ of: name }) }'));
  await page.goto(`${its.origin}/2`);
  equal((await its.wait('pageview', 2))[1].p, { of: 'pageview' });
});

test('init: transformRequest changes and drops', async (its) => {
  its.serve(snippet(its, "{ transformRequest: (payload) => payload.n === 'Secret' ? null : { ...payload, u: payload.u.split('?')[0] } }"));
  const page = await its.open('/page?token=1');
  equal((await its.wait('pageview'))[0].u, `${its.origin}/page`);
  ensure(await page.evaluate(() => new Promise((done) => window.plausible('Secret', { callback: (result) => done(result === undefined) }))), 'callback of a dropped event');
  await page.evaluate(() => setHidden(true));
  equal((await its.wait('engagement'))[0].u, `${its.origin}/page`);
  equal(its.events('Secret'), []);
});

test('init: bindToWindow and lib', async (its) => {
  its.serve(snippet(its, "{ lib: 'gtm' }"));
  const page = await its.open();
  await its.wait('pageview');
  equal(await page.evaluate(() => window.plausible.s), 'gtm');
  its.serve(`<script src="${its.collector}/js/${file()}"></script><script>window.mine = plausible; plausible.init({ bindToWindow: false }); delete window.plausible</script>`);
  await page.goto(`${its.origin}/2`);
  await its.wait('pageview', 2);
  ensure(await page.evaluate(() => window.plausible === undefined), 'window.plausible is left alone');
});

test('init: webVitals', async (its) => {
  its.serve(`${snippet(its, '{ webVitals: true }')}<h1>A heading</h1>`);
  const page = await its.open('/slow');
  await page.waitForFunction(() => [...document.scripts].some((script) => script.src.endsWith('/js/vitals.js')));
  await page.waitForLoadState('networkidle');
  await its.sleep(300);
  await page.goto(`${its.origin}/next`);
  ensure((await its.wait('Web Vitals'))[0].p.TTFB >= 0, 'TTFB');
});

test('Per-site script: an unknown site has none', async (its) => {
  equal((await fetch(`${its.collector}/js/pa-0000000000000000000000.js`)).status, 404);
  equal((await fetch(`${its.collector}/js/pa-short.js`)).status, 404);
});

const gpc = () => Object.defineProperty(navigator, 'globalPrivacyControl', { get: () => true });

test('Global Privacy Control: honoured when the site asks for it', async (its) => {
  await its.context.addInitScript(gpc);
  its.serve(its.script('script.js', 'data-respect-gpc'));
  const page = await its.open();
  await page.evaluate(() => window.plausible('Signup'));
  its.serve(snippet(its, '{ respectGpc: true }'));
  await page.goto(`${its.origin}/2`);
  await page.waitForFunction(() => window.plausible.l);
  await its.sleep(300);
  equal(its.events(), []);
  its.serve(its.script());
  await page.goto(`${its.origin}/3`);
  await its.exactly('pageview', 1);
});
