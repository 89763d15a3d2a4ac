// The retry queue: nothing is lost that could not be sent, and nothing counts twice.
import { ensure, equal, test, until } from './harness.mjs';

const keys = (page) => page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('weir ')));
const track = (page, name, props) => page.evaluate(([event, p]) => window.plausible(event, { props: p }), [name, props]);
const taken = (its, kind) => its.entries(kind).filter((entry) => entry.status === 202);
/** How many of a kind the collector took, each once however often it was sent. */
const distinct = (its, kind) => new Set(taken(its, kind).map((entry) => entry.event.id)).size;

test('Queue: offline, then online', async (its) => {
  its.serve(its.script());
  const page = await its.open();
  await its.exactly('pageview', 1);
  await its.context.setOffline(true);
  for (let number = 0; number < 5; number++) await track(page, 'Offline', { number });
  await until('five events wait', async () => (await keys(page)).length === 5);
  equal(its.events('Offline'), []);
  await its.sleep(300);
  await its.context.setOffline(false);
  await until('all are sent', () => distinct(its, 'Offline') === 5);
  const entries = taken(its, 'Offline');
  ensure(entries.some((entry) => entry.batch >= 5), 'several in one request');
  for (const { event } of entries) ensure(event.retry === true && event.age >= 250 && event.age < 20_000, `age ${event.age}, retry ${event.retry}`);
  await until('nothing waits', async () => (await keys(page)).length === 0);
});

test('Queue: 503 with Retry-After, page stays open', async (its) => {
  its.away({ status: 503, headers: { 'retry-after': '2' } });
  its.serve(its.script('script.manual.js'));
  const page = await its.open();
  await page.evaluate(() => new Promise((callback) => window.plausible('First', { callback })));
  const refused = Date.now();
  await track(page, 'During', {});
  await its.sleep(1200);
  const asked = its.entries().length;
  // On a machine that is busy the two seconds may be over by now.
  if (Date.now() - refused < 1900) equal(asked, 1, 'requests while the server rests');
  its.away();
  await until('sent again', () => distinct(its, 'First') && distinct(its, 'During'));
  const waited = Date.now() - refused;
  ensure(waited >= 1900, `${waited} ms although the server said two seconds`);
  const again = taken(its, 'First')[0].event;
  equal([again.retry, again.id], [true, its.events('First')[0].id]);
  await until('nothing waits', async () => (await keys(page)).length === 0);
});

test('Queue: 429 is tried again, 400 and 413 are not', async (its) => {
  its.serve(its.script('script.manual.js'));
  const page = await its.open();
  its.away({ status: 429, headers: { 'retry-after': '1' } });
  await track(page, 'Busy', {});
  await its.wait('Busy');
  its.away();
  await until('sent again', () => taken(its, 'Busy').length);
  for (const status of [400, 413]) {
    its.away({ status });
    await track(page, `Status ${status}`, {});
    await its.wait(`Status ${status}`);
    await until(`${status} is final`, async () => (await keys(page)).length === 0);
  }
});

test('Queue: the callback gets the status of the first attempt', async (its) => {
  its.away({ status: 503 });
  its.serve(its.script('script.manual.js'));
  const page = await its.open();
  equal(await page.evaluate(() => new Promise((callback) => window.plausible('First', { callback }))), { status: 503 });
  its.away();
  await until('sent again', () => taken(its, 'First').length);
});

test('Queue: the tab is closed while unsent, the next page delivers', async (its) => {
  its.away({ status: 503, headers: { 'retry-after': '60' } });
  its.serve(its.script());
  const page = await its.open('/first');
  await its.wait('pageview');
  await track(page, 'Bought', { item: 'hat' });
  await page.close();
  await its.sleep(300);
  its.away();
  const opened = Date.now();
  await its.open('/second');
  await until('delivered', () => distinct(its, 'Bought') && distinct(its, 'pageview') === 2);
  ensure(Date.now() - opened < 5000, 'at once');
  const entry = taken(its, 'Bought')[0];
  ensure(entry.event.retry === true && entry.event.age >= 300 && entry.event.p.item === 'hat', JSON.stringify(entry.event));
});

test('Queue: the tab is closed before the answer, the next page delivers', async (its) => {
  its.away({ hang: true });
  its.serve(its.script());
  const page = await its.open('/first');
  await until('under way', () => its.entries('pageview').length);
  await page.close();
  its.away();
  await its.open('/second');
  await until('delivered', () => distinct(its, 'pageview') === 2);
});

test('Queue: what the page says when it is left goes out while the server rests', async (its) => {
  its.away({ status: 503, headers: { 'retry-after': '60' } });
  its.serve(its.script());
  const page = await its.open('/one');
  await its.wait('pageview');
  await track(page, 'Waiting', {});
  its.away();
  await page.evaluate(() => setHidden(true));
  await until('sent at the end', () => taken(its, 'Waiting').length && taken(its, 'engagement').length && taken(its, 'pageview').length);
});

test('Queue: engagement is not sent twice where all goes well', async (its) => {
  its.serve(its.script());
  const page = await its.open('/one');
  await its.wait('pageview');
  await page.goto(`${its.origin}/two`);
  await its.wait('pageview', 2);
  await its.exactly('engagement', 1);
  ensure(its.entries().every((entry) => !entry.event.retry), 'nothing was sent again');
});

for (const [what, prepare] of [
  ['blocked', () => Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } })],
  ['null', () => Object.defineProperty(window, 'localStorage', { get: () => null })],
  ['full', () => { try { localStorage.setItem('filler', 'x'.repeat(5 * 1024 * 1024 - 30)); } catch { localStorage.filler = 'x'.repeat(5 * 1024 * 1024 - 100); } }],
]) {
  test(`Queue: storage is ${what}, memory is used`, async (its) => {
    await its.context.addInitScript(prepare);
    its.away({ status: 503 });
    its.serve(its.script());
    const page = await its.open();
    await its.wait('pageview');
    await track(page, 'Kept', {});
    its.away();
    await until('sent again', () => taken(its, 'pageview').length && taken(its, 'Kept').length);
  });
}

test('Queue: two tabs lose nothing and count nothing twice', async (its) => {
  its.away({ status: 503, headers: { 'retry-after': '60' } });
  its.serve(its.script());
  const tabs = [await its.open('/a'), await its.open('/b')];
  await its.wait('pageview', 2);
  await Promise.all(tabs.map(async (tab, index) => {
    for (let number = 0; number < 20; number++) await track(tab, 'Tabs', { tab: index, number });
  }));
  await until('all wait in the one storage', async () => (await keys(tabs[0])).length >= 42);
  its.away();
  // Both hear that the network is back.
  await Promise.all(tabs.map((tab) => tab.evaluate(() => { dispatchEvent(new Event('online')); })));
  await until('all are sent', () => distinct(its, 'Tabs') === 40);
  const wanted = [0, 1].flatMap((tab) => Array.from({ length: 20 }, (_, number) => `${tab}/${number}`)).sort();
  equal([...new Set(taken(its, 'Tabs').map(({ event }) => `${event.p.tab}/${event.p.number}`))].sort(), wanted);
  await until('nothing waits', async () => (await keys(tabs[0])).length === 0);
});

test('Queue: bounded in number and size', async (its) => {
  its.away({ status: 503, headers: { 'retry-after': '60' } });
  its.serve(its.script());
  const page = await its.open();
  await its.wait('pageview');
  await page.evaluate(() => { for (let number = 0; number < 300; number++) window.plausible('Many', { props: { number } }); });
  await page.evaluate(() => { dispatchEvent(new Event('online')); });
  await its.sleep(300);
  const stored = await page.evaluate(() => Object.entries(localStorage).filter(([key]) => key.startsWith('weir ')).map(([key, value]) => key.length + value.length));
  const size = stored.reduce((sum, length) => sum + length, 0);
  ensure(stored.length > 50 && stored.length <= 100, `${stored.length} events wait`);
  ensure(size <= 64 * 1024, `${size} characters wait`);
  await page.evaluate(() => { for (let number = 0; number < 40; number++) window.plausible('Large', { props: { a: 'ü'.repeat(900), b: 'ü'.repeat(900), c: 'ü'.repeat(900) } }); });
  await page.evaluate(() => { dispatchEvent(new Event('online')); });
  await its.sleep(300);
  const large = await page.evaluate(() => Object.entries(localStorage).filter(([key]) => key.startsWith('weir ')).reduce((sum, [key, value]) => sum + key.length + value.length, 0));
  ensure(large <= 68 * 1024, `${large} characters wait`);
  its.away();
  await page.evaluate(() => { dispatchEvent(new Event('online')); });
  await until('the newest arrive', () => taken(its, 'Large').length > 5);
  ensure(its.entries().every((entry) => entry.batch <= 100), 'more than a hundred in a request');
});

test('Queue: older than a day is not sent', async (its) => {
  its.away({ status: 503 });
  its.serve(its.script('script.manual.js'));
  const page = await its.open();
  await page.evaluate(() => new Promise((callback) => window.plausible('Old', { callback })));
  its.away();
  await page.evaluate(() => {
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith('weir '))) {
      const [tag, at, ...rest] = key.split(' ');
      localStorage[[tag, at - 25 * 3600e3, ...rest].join(' ')] = localStorage[key];
      localStorage[[tag, at - 23 * 3600e3, ...rest].join(' ').slice(0, -1)] = localStorage[key].replace('"Old"', '"Yesterday"').replace(/"id":"./, '"id":"0');
      delete localStorage[key];
    }
    // Of another endpoint, long ago: it goes away too.
    localStorage['weir 1000000000000 https://gone.test/api/event x'] = '{"n":"x"';
    localStorage['weir 9999999999999 https://other.test/api/event x'] = '{"n":"x"';
    localStorage.unrelated = 'stays';
  });
  await page.reload();
  await until('the younger arrives', () => taken(its, 'Yesterday').length);
  const { age } = taken(its, 'Yesterday')[0].event;
  ensure(age > 22.9 * 3600e3 && age < 24 * 3600e3, `age ${age}`);
  await until('the rest is as it was', async () => (await keys(page)).join() === 'weir 9999999999999 https://other.test/api/event x');
  equal(taken(its, 'Old'), []);
  equal(await page.evaluate(() => localStorage.unrelated), 'stays');
});

test('Queue: a clock that was set back gives no negative age', async (its) => {
  its.away({ status: 503, headers: { 'retry-after': '1' } });
  its.serve(its.script('script.manual.js'));
  const page = await its.open();
  await page.evaluate(() => new Promise((callback) => window.plausible('Clock', { callback })));
  await page.evaluate(() => {
    const now = Date.now;
    Date.now = () => now() - 3600e3;
    dispatchEvent(new Event('online'));
  });
  await until('tried again', () => its.entries('Clock').length === 2);
  its.away();
  await until('taken', () => taken(its, 'Clock').length);
  equal(taken(its, 'Clock')[0].event.age, 0);
});

test('Queue: nothing is sent again after an objection', async (its) => {
  its.away({ status: 503 });
  its.serve(its.script());
  const page = await its.open();
  await its.wait('pageview');
  await page.evaluate(() => { localStorage.plausible_ignore = 'true'; });
  its.away();
  await page.evaluate(() => { dispatchEvent(new Event('online')); });
  await page.reload();
  await its.exactly('pageview', 1, 1500);
});
