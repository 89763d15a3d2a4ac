// A visitor of a web site with the tracker: a page view, two navigations inside the page, a custom event.
import { createServer } from 'node:http';
import { browse, ensure } from './browser.mjs';

const { COLLECTOR, SITE } = process.env;

// The variant `local` sends from localhost too; automation is exempt where `__plausible` is set.
const html = `<!doctype html><html lang="en"><title>Shop</title>
<link rel="icon" href="data:,">
<script>window.__plausible = true</script>
<script defer data-domain="${SITE}" src="${COLLECTOR}/js/script.local.js"></script>
<h1>Shop</h1>`;

const server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(html));
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const origin = `http://127.0.0.1:${server.address().port}`;

try {
  await browse(async (page) => {
    const answered = (what) =>
      page.waitForResponse((response) => response.url() === `${COLLECTOR}/api/event` && response.request().method() === 'POST'
        && (response.request().postData() ?? '').includes(what));
    const taken = async (answer) => {
      const response = await answer;
      ensure(response.status() === 202, `the collector answered ${response.status()}`);
      ensure(!response.headers()['x-plausible-dropped'], `dropped: ${response.headers()['x-dropped-reason']}`);
    };
    let answer = answered('"pageview"');
    await page.goto(`${origin}/`);
    await taken(answer);
    answer = answered('/second');
    await page.evaluate(() => history.pushState({}, '', '/second'));
    await taken(answer);
    answer = answered('/third');
    await page.evaluate(() => history.pushState({}, '', '/third?x=1'));
    await taken(answer);
    answer = answered('Signup');
    await page.evaluate(() => window.plausible('Signup', { props: { plan: 'pro' } }));
    await taken(answer);
    // Replacing the address without another path is no navigation.
    await page.evaluate(() => history.replaceState({}, '', '/third?x=2'));
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/tracked-page.png` });
  });
} finally {
  server.closeAllConnections();
  server.close();
}
