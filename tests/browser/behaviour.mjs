// "Tracker behaviour" of the core: what is ignored, page views, engagement, scroll depth, sending, `track`.
import { writeFileSync } from 'node:fs';
import { ensure, equal, test } from './harness.mjs';

const push = (page, path) => page.evaluate((to) => history.pushState({}, '', to), path);
const tall = '<div style="height: 3000px">tall</div>';

// --- Ignored ---------------------------------------------------------------------------------------------------------

for (const host of ['localhost', '127.0.0.9']) {
  test(`Ignored: ${host}`, async (its) => {
    its.serve(its.script());
    const page = await its.open();
    const called = await page.evaluate(() => new Promise((done) => window.plausible('Signup', { callback: (result) => done(result === undefined) })));
    ensure(called, 'the callback is called without an outcome');
    await its.exactly('pageview', 0);
    equal(its.events(), []);
  }, { host });
}

test('Ignored: file', async (its) => {
  const file = `${process.env.SCRATCH}/page.html`;
  writeFileSync(file, `<!doctype html>${its.script()}`);
  const page = await its.context.newPage();
  const warned = page.waitForEvent('console', (message) => message.text().includes('localhost'));
  await page.goto(`file://${file}`);
  await warned;
});

for (const flag of ['_phantom', '__nightmare', 'Cypress']) {
  test(`Ignored: ${flag}`, async (its) => {
    await its.context.addInitScript((name) => {
      Object.defineProperty(navigator, 'webdriver', { get: () => false });
      window[name] = {};
    }, flag);
    its.serve(its.script());
    const page = await its.open();
    await page.evaluate(() => window.plausible('Signup'));
    await its.sleep(300);
    equal(its.events(), []);
  }, { automation: true });
}

test('Ignored: navigator.webdriver, unless window.__plausible', async (its) => {
  its.serve(its.script());
  const page = await its.open();
  ensure(await page.evaluate(() => navigator.webdriver), 'this browser is automated');
  await its.sleep(300);
  equal(its.events(), []);
  await page.evaluate(() => {
    window.__plausible = true;
    window.plausible('Signup');
  });
  await its.exactly('Signup', 1);
}, { automation: true });

test('Ignored: localStorage.plausible_ignore', async (its) => {
  await its.context.addInitScript(() => localStorage.setItem('plausible_ignore', 'true'));
  its.serve(its.script());
  const page = await its.open();
  await page.evaluate(() => window.plausible('Signup'));
  await its.sleep(300);
  equal(its.events(), []);
  // Only this value is an objection.
  await page.evaluate(() => {
    localStorage.plausible_ignore = 'false';
    window.plausible('Signup');
  });
  await its.exactly('Signup', 1);
});

// --- Pageview --------------------------------------------------------------------------------------------------------

test('Pageview: on load', async (its) => {
  its.serve(its.script());
  await its.open('/path?utm_source=x#part');
  const [event] = await its.exactly('pageview', 1);
  equal(event.u, `${its.origin}/path?utm_source=x#part`);
  equal(Object.keys(event).sort(), ['d', 'id', 'n', 'p', 'r', 'u', 'v']);
  equal([event.n, event.d, event.r, event.p], ['pageview', 'tracker.example', '', {}]);
  ensure(/^[0-9a-f]{32}$/.test(event.id), `id ${event.id}`);
});

test('Pageview: the referrer travels along', async (its) => {
  its.serve(`${its.script()}<a href="/second">on</a>`);
  const page = await its.open('/first');
  await its.wait('pageview');
  await page.click('a');
  await its.wait('pageview', 2);
  equal(its.events('pageview')[1].r, `${its.origin}/first`);
});

test('Pageview: first visible if prerendered or hidden', async (its) => {
  its.serve(its.script());
  const page = await its.open();
  await its.sleep(300);
  equal(its.events(), []);
  await page.evaluate(() => setHidden(false));
  await its.exactly('pageview', 1);
  await page.evaluate(() => {
    setHidden(true);
    setHidden(false);
  });
  await its.exactly('pageview', 1);
}, { hidden: true });

test('Pageview: on pushState and popstate when the pathname changed', async (its) => {
  its.serve(its.script());
  const page = await its.open('/one');
  await its.wait('pageview');
  await push(page, '/two');
  await its.wait('pageview', 2);
  await push(page, '/two?x=1');
  await push(page, '/two#y');
  await page.evaluate(() => history.replaceState({}, '', '/three'));
  await page.evaluate(() => {
    setHidden(true);
    setHidden(false);
    history.replaceState({}, '', '/two#y');
  });
  await page.goBack();
  await page.goBack();
  await page.goBack();
  await its.wait('pageview', 3);
  await its.exactly('pageview', 3);
  equal(its.paths(), ['/one', '/two', '/one']);
});

test('Pageview: on hashchange in hash mode', async (its) => {
  its.serve(its.script('script.hash.js'));
  const page = await its.open('/app#/one');
  await its.wait('pageview');
  await page.evaluate(() => { location.hash = '/two'; });
  await its.wait('pageview', 2);
  // Routers may change the fragment by pushState.
  await push(page, '#/three');
  await its.wait('pageview', 3);
  await its.exactly('pageview', 3);
  equal(its.paths(), ['/app#/one', '/app#/two', '/app#/three']);
  equal(its.events('pageview').map((event) => event.h), [1, 1, 1]);
});

test('Pageview: data-hash is hash mode too, and without it the fragment is none', async (its) => {
  its.serve(its.script('script.js', 'data-hash'));
  const page = await its.open('/app#/one');
  await page.evaluate(() => { location.hash = '/two'; });
  await its.exactly('pageview', 2);
  equal(its.events('pageview')[1].h, 1);
  its.serve(its.script());
  const other = await its.open('/plain#/one');
  await other.evaluate(() => { location.hash = '/two'; });
  await its.exactly('pageview', 3);
});

test('Pageview: on pageshow with persisted', async (its) => {
  its.serve(its.script());
  const page = await its.open('/first');
  await its.wait('pageview');
  await page.goto(`${its.origin}/second`);
  await its.wait('pageview', 2);
  await page.goBack({ waitUntil: 'commit' });
  await its.wait('pageview', 3);
  equal(its.paths(), ['/first', '/second', '/first']);
  // Whether or not the browser put the page aside: the event by hand.
  await page.evaluate(() => {
    dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false }));
    dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
  });
  await its.exactly('pageview', 4);
});

// --- Engagement ------------------------------------------------------------------------------------------------------

const blur = (page) => page.evaluate(() => setFocused(false));
const focus = (page) => page.evaluate(() => setFocused(true));

test('Engagement: first event always, then only if the scroll depth grew or after 3,000 ms', async (its) => {
  its.serve(its.script() + tall);
  const page = await its.open();
  await its.wait('pageview');
  await blur(page);
  const [first] = await its.wait('engagement');
  ensure(first.sd > 20 && first.sd < 35 && first.e >= 0 && first.e < 3000, JSON.stringify(first));
  await focus(page);
  await blur(page);
  await its.exactly('engagement', 1);
  await focus(page);
  await page.evaluate(() => scrollTo(0, 1200));
  await page.waitForFunction(() => scrollY === 1200);
  await its.sleep(100);
  await blur(page);
  const second = (await its.wait('engagement', 2))[1];
  ensure(second.sd > first.sd, `${second.sd} after ${first.sd}`);
  await focus(page);
  await page.evaluate(() => advance(3000));
  await blur(page);
  const third = (await its.wait('engagement', 3))[2];
  ensure(third.e >= 3000 && third.sd === second.sd, JSON.stringify(third));
  await its.exactly('engagement', 3);
});

test('Engagement: on visibilitychange to hidden, on blur, and before the next page of the same document', async (its) => {
  its.serve(its.script());
  const page = await its.open('/one');
  await its.wait('pageview');
  await page.evaluate(() => setHidden(true));
  await its.exactly('engagement', 1);
  await page.evaluate(() => setHidden(false));
  await push(page, '/two');
  await its.wait('pageview', 2);
  await blur(page);
  await its.wait('engagement', 2);
  await focus(page);
  await push(page, '/three');
  await push(page, '/four');
  await its.wait('pageview', 4);
  await its.wait('engagement', 3);
  equal(its.paths('engagement'), ['/one', '/two', '/three']);
  // The page is left for another.
  await page.goto(`${its.origin}/five`);
  await its.wait('engagement', 4);
  equal(its.paths('engagement')[3], '/four');
});

test('Engagement: the clock runs only while visible and focused', async (its) => {
  its.serve(its.script() + tall);
  const page = await its.open();
  await its.wait('pageview');
  const hour = 3600e3;
  await page.evaluate((ms) => {
    setFocused(false);
    advance(ms);
    setFocused(true);
    setHidden(true);
    advance(ms);
    setHidden(false);
    advance(5000);
    scrollTo(0, 2000);
    setFocused(false);
  }, hour);
  const events = await its.wait('engagement', 2);
  const engaged = events.reduce((sum, event) => sum + event.e, 0);
  ensure(engaged >= 5000 && engaged < hour, `${engaged} ms`);
});

test('Engagement: repeats u, p and h of its page view', async (its) => {
  its.serve(its.script('script.manual.hash.js'));
  const page = await its.open('/real#x');
  await page.evaluate((origin) => window.plausible('pageview', {
    url: `${origin}/virtual#y`, props: { author: 'me' }, revenue: { currency: 'EUR', amount: 5 },
  }), its.origin);
  await its.wait('pageview');
  await page.evaluate(() => setHidden(true));
  const [event] = await its.exactly('engagement', 1);
  equal([event.u, event.p, event.h, '$' in event], [`${its.origin}/virtual#y`, { author: 'me' }, 1, false]);
});

test('Engagement: only for a page view that was counted', async (its) => {
  its.serve(its.script('script.exclusions.js', 'data-exclude="/secret"'));
  const page = await its.open('/secret');
  await page.evaluate(() => setHidden(true));
  await its.sleep(300);
  equal(its.events(), []);
  await page.evaluate(() => setHidden(false));
  await push(page, '/open');
  await its.exactly('pageview', 1);
  await page.evaluate(() => setHidden(true));
  await its.exactly('engagement', 1);
  equal(its.paths('engagement'), ['/open']);
});

test('Scroll: percent of the page, rounded', async (its) => {
  its.serve(`<style>body{margin:0}</style>${its.script()}<div style="height: 3000px"></div>`);
  const page = await its.open();
  await its.wait('pageview');
  await page.evaluate(() => scrollTo(0, 700));
  await its.sleep(200);
  await page.evaluate(() => scrollTo(0, 0));
  await its.sleep(200);
  await blur(page);
  const [event] = await its.wait('engagement');
  const seen = await page.evaluate(() => 700 + innerHeight);
  equal(event.sd, Math.round((seen / 3000) * 100));
});

test('Scroll: 100 if the page is shorter than the viewport', async (its) => {
  its.serve(`${its.script()}<p>short</p>`);
  const page = await its.open();
  await its.wait('pageview');
  await blur(page);
  equal((await its.wait('engagement'))[0].sd, 100);
});

test('Scroll: a page that grows later is measured again', async (its) => {
  its.serve(`<style>body{margin:0}</style>${its.script()}<div id="late"></div>`);
  const page = await its.open();
  await its.wait('pageview');
  await page.evaluate(() => { document.getElementById('late').style.height = '8000px'; });
  await its.sleep(200);
  await blur(page);
  const [event] = await its.wait('engagement');
  equal(event.sd, 10);
});

// --- Sending, track --------------------------------------------------------------------------------------------------

test('Send: POST of text/plain without preflight, callback gets the status', async (its) => {
  its.serve(its.script());
  const page = await its.open();
  const outcome = await page.evaluate(() => new Promise((callback) => window.plausible('Signup', { callback })));
  equal(outcome, { status: 202 });
  const [entry] = its.entries('Signup');
  ensure(entry.type.startsWith('text/plain') && !entry.array, `${entry.type}, array: ${entry.array}`);
});

test('Send: callback gets the error', async (its) => {
  its.serve(its.script('script.manual.js', 'data-api="http://127.0.0.1:1/api/event"'));
  const page = await its.open();
  const outcome = await page.evaluate(() => new Promise((done) => window.plausible('Signup', { callback: (result) => done(`${result.error}`) })));
  ensure(/TypeError/.test(outcome), outcome);
  // While the server is given a rest, the page is told at once that the event waits.
  ensure(await page.evaluate(() => new Promise((done) => window.plausible('Signup', { callback: (result) => done(result === undefined) }))), 'told at once');
});

test('track: props, revenue, interactive, url', async (its) => {
  its.serve(its.script());
  const page = await its.open('/page');
  await page.evaluate((origin) => window.plausible('Purchase', {
    props: { plan: 'pro', seats: 3, trial: false }, revenue: { currency: 'EUR', amount: '12.50' }, interactive: false, url: `${origin}/other`,
  }), its.origin);
  const [event] = await its.wait('Purchase');
  equal([event.p, event.$, event.i, event.u], [{ plan: 'pro', seats: 3, trial: false }, { currency: 'EUR', amount: '12.50' }, false, `${its.origin}/other`]);
  await page.evaluate((origin) => window.plausible('Older', { u: `${origin}/u` }), its.origin);
  equal((await its.wait('Older'))[0].u, `${its.origin}/u`);
});

test('track: calls before the script has loaded wait in q', async (its) => {
  its.serve(`<script>window.plausible=window.plausible||function(){(window.plausible.q=window.plausible.q||[]).push(arguments)};
    plausible('Early', {props: {n: 1}})</script>${its.script()}`);
  await its.open();
  equal((await its.exactly('Early', 1))[0].p, { n: 1 });
  await its.exactly('pageview', 1);
});
