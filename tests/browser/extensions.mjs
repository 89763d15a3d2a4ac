// Extensions by the names in the file name.
import { equal, ensure, test } from './harness.mjs';

/** Keeps the page where it is when a link is clicked; a test of counting, not of navigating. */
const stay = '<script>addEventListener("click", (event) => event.target.form || event.preventDefault(), true); addEventListener("submit", (event) => event.preventDefault(), true)</script>';
const click = (page, selector, options) => page.click(selector, options);

test('Extension outbound-links: Outbound Link: Click {url}', async (its) => {
  its.serve(`${its.script('script.outbound-links.js')}${stay}
    <a id="out" href="https://other.test/page?x=1#y"><b>out</b></a> <a id="in" href="/inside">in</a> <a id="mail" href="mailto:a@b.test">mail</a>`);
  const page = await its.open();
  await its.wait('pageview');
  for (const id of ['#in', '#mail', '#out b']) await click(page, id);
  const [event] = await its.exactly('Outbound Link: Click', 1);
  equal(event.p, { url: 'https://other.test/page?x=1#y' });
  // The middle button opens another tab; the right one opens none.
  await click(page, '#out', { button: 'middle' });
  await its.wait('Outbound Link: Click', 2);
  await click(page, '#out', { button: 'right' });
  await its.exactly('Outbound Link: Click', 2);
});

test('Extension outbound-links: counted though the page is left', async (its) => {
  its.serve(`${its.script('script.outbound-links.js')}<a id="out" href="http://neighbour.example:1/">out</a>`);
  const page = await its.open();
  await its.wait('pageview');
  await click(page, '#out', { noWaitAfter: true });
  await its.exactly('Outbound Link: Click', 1);
  its.complaints.length = 0;
});

test('Extension file-downloads: File Download {url}', async (its) => {
  its.serve(`${its.script('script.file-downloads.js')}${stay}
    <a id="pdf" href="/files/report.pdf?version=2">report</a> <a id="page" href="/page.html">page</a> <a id="odd" href="/pdf">no file</a>`);
  const page = await its.open();
  for (const id of ['#page', '#odd', '#pdf']) await click(page, id);
  const [event] = await its.exactly('File Download', 1);
  equal(event.p, { url: `${its.origin}/files/report.pdf` });
});

test('Extension file-downloads: file-types and add-file-types', async (its) => {
  const links = '<a id="a" href="/a.iso">a</a> <a id="b" href="/b.pdf">b</a>';
  its.serve(`${its.script('script.file-downloads.js', 'file-types="iso,img"')}${stay}${links}`);
  const page = await its.open();
  await click(page, '#b');
  await click(page, '#a');
  equal((await its.exactly('File Download', 1))[0].p, { url: `${its.origin}/a.iso` });
  its.serve(`${its.script('script.file-downloads.js', 'add-file-types="iso"')}${stay}${links}`);
  await page.reload();
  await click(page, '#a');
  await click(page, '#b');
  await its.exactly('File Download', 3);
});

test('Extension tagged-events: class tagging', async (its) => {
  its.serve(`${its.script('script.tagged-events.js')}${stay}
    <button id="plain" class="big plausible-event-name=Sign+Up plausible-event-plan=pro+plus plausible-event-Size--XL">sign up</button>
    <a id="link" class="plausible-event-name--Read" href="/more">more</a>
    <div class="plausible-event-name=Around"><div><div><span id="three">three below</span></div></div></div>
    <div class="plausible-event-name=Far"><div><div><div><span id="four">four below</span></div></div></div></div>`);
  const page = await its.open();
  for (const id of ['plain', 'link', 'three', 'four']) await click(page, `#${id}`);
  equal((await its.exactly('Sign Up', 1))[0].p, { plan: 'pro plus', Size: 'XL' });
  equal((await its.exactly('Read', 1))[0].p, { url: `${its.origin}/more` });
  await its.exactly('Around', 1);
  equal(its.events('Far'), []);
});

test('Extension tagged-events: forms are counted when they are sent', async (its) => {
  its.serve(`${its.script('script.tagged-events.js')}${stay}
    <form class="plausible-event-name=Subscribe plausible-event-list=news"><input name="mail"><button>send</button></form>`);
  const page = await its.open();
  await click(page, 'input');
  await its.sleep(200);
  equal(its.events('Subscribe'), []);
  await click(page, 'button');
  equal((await its.exactly('Subscribe', 1))[0].p, { list: 'news' });
});

test('Extension revenue: by class and by call', async (its) => {
  its.serve(`${its.script('script.revenue.tagged-events.js')}${stay}
    <button class="plausible-event-name=Donation plausible-revenue-amount=10.29 plausible-revenue-currency=EUR">give</button>`);
  const page = await its.open();
  await click(page, 'button');
  equal((await its.exactly('Donation', 1))[0].$, { amount: '10.29', currency: 'EUR' });
});

test('Extensions outbound-links, file-downloads and tagged-events: a click is one event', async (its) => {
  its.serve(`${its.script('script.file-downloads.outbound-links.tagged-events.js')}${stay}
    <a id="tagged" class="plausible-event-name=Partner" href="https://other.test/a.pdf"><b><i>x</i></b></a>
    <a id="file" href="https://other.test/b.pdf">b</a>`);
  const page = await its.open();
  await its.wait('pageview');
  await click(page, '#tagged i');
  await its.wait('Partner');
  await click(page, '#file');
  await its.exactly('Outbound Link: Click', 1);
  equal(its.events().filter((event) => event.n !== 'engagement').map((event) => event.n), ['pageview', 'Partner', 'Outbound Link: Click']);
});

test('Extension form-submissions: Form: Submission {path}', async (its) => {
  its.serve(`${its.script('script.form-submissions.js')}${stay}
    <form id="one"><input required><button>send</button></form>
    <form id="two" novalidate><input required><button>send</button></form>`);
  const page = await its.open('/contact?x=1');
  await click(page, '#one button');
  await its.sleep(200);
  equal(its.events('Form: Submission'), [], 'what the browser refuses to send');
  await page.fill('#one input', 'x');
  await click(page, '#one button');
  await click(page, '#two button');
  equal((await its.exactly('Form: Submission', 2)).map((event) => event.p), [{ path: '/contact' }, { path: '/contact' }]);
});

test('Extension 404: 404 {path}', async (its) => {
  its.serve(its.script('script.404.js'));
  await its.open('/missing/page');
  equal((await its.exactly('404', 1))[0].p, { path: '/missing/page' });
  equal(its.events().map((event) => event.n), ['pageview', '404']);
  await its.open('/there');
  await its.wait('pageview', 2);
  await its.exactly('404', 1);
});

test('Extension pageview-props: event-* attributes', async (its) => {
  its.serve(its.script('script.pageview-props.js', 'event-author="Jane" event-logged_in="yes"'));
  const page = await its.open();
  await its.wait('pageview');
  equal(its.events('pageview')[0].p, { author: 'Jane', logged_in: 'yes' });
  await page.evaluate(() => window.plausible('Signup', { props: { author: 'Joe' } }));
  equal((await its.wait('Signup'))[0].p, { author: 'Joe', logged_in: 'yes' });
});

test('Extension exclusions: data-include and data-exclude with * and **', async (its) => {
  its.serve(its.script('script.exclusions.js', 'data-include="/blog/**, /shop/*" data-exclude="/blog/draft*,/shop/*.bak"'));
  const page = await its.open('/blog/2026/post');
  const visits = ['/blog/draft1', '/blog/draft/x', '/shop/hat', '/shop/hat/red', '/shop/a.bak', '/shop/abak', '/other', '/blog/end'];
  for (const path of visits) await page.evaluate((to) => history.pushState({}, '', to), path);
  await its.wait('pageview', 5);
  await its.sleep(200);
  equal(its.paths().sort(), ['/blog/2026/post', '/blog/draft/x', '/blog/end', '/shop/abak', '/shop/hat']);
  // Only page views are excluded.
  await page.evaluate(() => {
    history.pushState({}, '', '/other');
    window.plausible('Signup');
  });
  await its.exactly('Signup', 1);
});

test('Extension manual: no page view by itself', async (its) => {
  its.serve(its.script('script.manual.js'));
  const page = await its.open('/one');
  await page.evaluate(() => {
    history.pushState({}, '', '/two');
    setHidden(true);
    setHidden(false);
  });
  await its.sleep(300);
  equal(its.events(), []);
  await page.evaluate((origin) => window.plausible('pageview', { u: `${origin}/made-up` }), its.origin);
  await its.exactly('pageview', 1);
  equal(its.paths(), ['/made-up']);
});

test('Extension local: counts on localhost', async (its) => {
  its.serve(its.script('script.local.js'));
  await its.open();
  await its.exactly('pageview', 1);
}, { host: '127.0.0.7' });

test('Extension compat: finds its element when the browser does not say', async (its) => {
  its.serve(`<script id="plausible" data-domain="tracker.example" data-api="${its.collector}/api/event" type="text/plain"></script>
    <script type="module">
      const code = await (await fetch('${its.collector}/js/script.compat.js')).text();
      const blob = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
      await import(blob);
    </script>`);
  await its.open();
  await its.exactly('pageview', 1);
});

test('Extensions: any order, any number, Plausible\'s oldest name', async (its) => {
  const texts = await Promise.all(['script.hash.outbound-links.js', 'script.outbound-links.hash.js', 'plausible.hash.outbound-links.js'].map(
    async (file) => (await fetch(`${its.collector}/js/${file}`)).text()));
  ensure(texts[0] === texts[1] && texts[0] === texts[2], 'the order makes a difference');
  const all = 'tagged-events.404.local.manual.compat.revenue.exclusions.pageview-props.web-vitals.hash.file-downloads.form-submissions.outbound-links';
  its.serve(`${its.script(`script.${all}.js`, 'event-a="1"')}${stay}<a href="https://other.test/">out</a>`);
  const page = await its.open('/x#y');
  await click(page, 'a');
  equal((await its.exactly('Outbound Link: Click', 1))[0].p, { a: '1', url: 'https://other.test/' });
  for (const file of ['script.nothing.js', 'other.js', 'script.js.map', 'h/script.js']) {
    equal((await fetch(`${its.collector}/js/${file}`)).status, 404, file);
  }
});

test('Extension web-vitals: loaded after the page, one event when it is left', async (its) => {
  its.serve(`${its.script('script.web-vitals.js')}<h1>A heading of some size</h1><button onclick="const end = Date.now() + 80; while (Date.now() < end);">press</button>${'<p>text</p>'.repeat(20)}`);
  const page = await its.open('/slow');
  await page.waitForFunction(() => [...document.scripts].some((script) => script.src.endsWith('/js/vitals.js') && script.integrity));
  await page.waitForLoadState('networkidle');
  await click(page, 'button');
  // The library looks at interactions when the page is idle, after a second at the latest.
  await its.sleep(1200);
  await page.goto(`${its.origin}/next`);
  const [event] = await its.wait('Web Vitals');
  equal([event.u, event.i], [`${its.origin}/slow`, false]);
  for (const name of ['LCP', 'CLS', 'FCP', 'TTFB', 'INP']) ensure(typeof event.p[name] === 'number' && event.p[name] >= 0, `${name} in ${JSON.stringify(event.p)}`);
});
