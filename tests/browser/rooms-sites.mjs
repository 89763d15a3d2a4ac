// The overview: each site's figures are those of the API; find, order, go.
import { audit } from './axe.mjs';
import { browse, ensure } from './browser.mjs';
import { capture } from './capture.mjs';
import { ask, sees, signIn } from './rooms.mjs';

const { ADMIN, SITES } = process.env;
const sites = SITES.split(',');

await browse(async (page) => {
  const batches = [];
  page.on('request', (request) => request.url().includes('/api/v2/') && batches.push(request.url()));
  await signIn(page, ADMIN);
  const card = (site) => page.getByRole('listitem').filter({ has: page.getByRole('link', { name: site, exact: true }) });
  for (const site of sites) {
    const { body } = await ask(ADMIN, 'POST', '/api/v2/query', { site_id: site, metrics: ['visitors'], date_range: '28d' });
    const visitors = body.results[0].metrics[0];
    await card(site).getByText(visitors === 0 ? /Nobody came|first visitors/ : `${visitors.toLocaleString('en-US')} visitors`).waitFor();
  }
  ensure(batches.length === 1 && batches[0].endsWith('/queries'), `one request for all sites: ${batches}`);
  const first = await page.getByRole('heading', { level: 2 }).first().textContent();
  ensure(first.trim() === sites[0], `the site with most visitors comes first: ${first}`);
  await audit(page, 'sites');
  await capture(page, 'sites');

  // The slash leads to the search, which leaves what has the letters in it.
  await page.locator('body').press('/');
  await page.keyboard.type(sites[1].slice(0, 5));
  await card(sites[0]).waitFor({ state: 'detached' });
  await card(sites[1]).waitFor();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('no such site');
  await sees(page, 'No site has “no such site” in its name.');
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.press('Delete');
  await page.getByLabel('Order').selectOption('name');
  await card(sites[0]).waitFor();
  const names = await page.getByRole('heading', { level: 2 }).allTextContents();
  ensure(names.join() === [...names].sort().join(), `by name: ${names}`);

  // The card leads to the figures, the way back to the overview.
  await page.getByRole('link', { name: sites[0], exact: true }).click();
  await page.waitForURL((url) => url.pathname === '/' && url.searchParams.get('site') === sites[0]);
  await sees(page, 'Visitors');
  await page.goBack();
  await page.getByRole('heading', { name: 'Sites', exact: true }).waitFor();
  await card(sites[1]).getByRole('link', { name: /Settings of/ }).click();
  await page.getByRole('heading', { level: 1, name: sites[1] }).waitFor();
  await sees(page, 'Paste this into your pages');
});
