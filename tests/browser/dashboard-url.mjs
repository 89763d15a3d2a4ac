// The whole state is in the address: what is chosen gets there, and an address brings it back. What was last looked at is remembered.
import { ensure } from './browser.mjs';
import { ask, cardShows, open, panel, parameters, read, settled, totals, written } from './view.mjs';

const { QUERY, SITE } = process.env;
const same = (found, wanted) => ensure(JSON.stringify(found) === JSON.stringify(wanted), `${JSON.stringify(found)} and not ${JSON.stringify(wanted)}`);

await read(async (page) => {
  await open(page);
  await page.getByRole('button', { name: 'Bounce rate', exact: false }).first().click();
  await page.getByLabel('Length of the buckets').selectOption('week');
  await panel(page, 'sources').getByRole('button', { name: 'Campaigns', exact: true }).click();
  await panel(page, 'sources').getByLabel('Sources: which').selectOption('utm_medium');
  await panel(page, 'pages').getByRole('button', { name: 'Exit', exact: true }).click();
  await page.getByRole('button', { name: 'Table', exact: true }).click();
  await panel(page, 'pages').getByRole('button', { name: 'rows of Exit' }).click();
  await page.getByRole('dialog', { name: 'Pages: Exit' }).waitFor();
  same(parameters(page), ['metric=bounce_rate', 'interval=week', 'sources=utm_medium', 'pages=exit', 'details=pages', 'view=table']);

  // The address alone brings all of it back.
  const address = page.url();
  await page.goto('about:blank');
  await page.goto(address);
  await page.getByRole('dialog', { name: 'Pages: Exit' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  ensure(!page.url().includes('details'), 'a closed window is not in the address');
  await page.getByRole('heading', { name: 'Bounce rate per week' }).waitFor();
  await page.getByRole('table', { name: 'Figures per week' }).waitFor();
  ensure((await panel(page, 'sources').getByLabel('Sources: which').inputValue()) === 'utm_medium', 'the campaign parameter');

  // A view that is opened asks once, whatever it shows.
  const opened = [];
  const count = (request) => request.url().includes('/api/v2/') && opened.push(request.postDataJSON().queries.length);
  page.on('request', count);
  await open(page, '&period=28d');
  await panel(page, 'behaviour').locator('tbody tr').first().waitFor();
  await panel(page, 'locations').locator('[data-country=DE]').waitFor();
  ensure(opened.length === 1 && opened[0] >= 11, `questions by request: ${opened}`);
  page.off('request', count);

  // One request a view: a change of the period asks one, a change of a tab one, and nothing else.
  const asked = [];
  page.on('request', (request) => request.method() === 'POST' && asked.push(request.url()));
  await Promise.all([page.waitForResponse(`${QUERY}/api/v2/queries`), page.keyboard.press('w')]);
  await settled(page);
  same(asked, [`${QUERY}/api/v2/queries`]);
  await Promise.all([page.waitForResponse(`${QUERY}/api/v2/queries`), panel(page, 'pages').getByRole('button', { name: 'Entry', exact: true }).click()]);
  await panel(page, 'pages').getByRole('columnheader', { name: 'Entry page' }).waitFor();
  await settled(page);
  same(asked, [`${QUERY}/api/v2/queries`, `${QUERY}/api/v2/queries`]);

  // The period was remembered: an address without one gets it, and says so.
  await page.goto(`${QUERY}/?site=${SITE}`);
  await settled(page);
  same(parameters(page), ['period=7d']);
  await page.goto(`${QUERY}/?site=${SITE}&period=28d`);
  await cardShows(page, 'visitors', written((await totals(['visitors']))[0]));

  // A revision in the address holds the figures at it; the page says so, and leads back.
  const { meta } = await ask({ metrics: ['visitors'], date_range: '28d' });
  const [request] = await Promise.all([
    page.waitForRequest((one) => one.url().includes('/api/v2/queries?rev=')),
    page.goto(`${QUERY}/?site=${SITE}&period=28d&rev=${meta.revision}`),
  ]);
  ensure(request.url().endsWith(`?rev=${meta.revision}`), request.url());
  ensure(meta.revision > 0, 'there is no revision yet');
  await page.getByRole('button', { name: `Held at revision ${meta.revision}` }).click();
  ensure(!page.url().includes('rev='), page.url());
  await settled(page);
});
