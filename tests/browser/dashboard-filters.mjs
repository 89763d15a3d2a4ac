// Every row is a filter: added, excluded, changed, joined, taken away; the figures follow, and the back button too.
import { ensure } from './browser.mjs';
import { ask, becomes, card, cardShows, open, panel, parameters, read, rowsOf, settled, totals, written } from './view.mjs';

const { SITE } = process.env;
const google = ['is', 'visit:source', ['Google']];
const visitors = async (filters) => written((await totals(['visitors'], { filters }))[0]);

await read(async (page) => {
  await open(page, '&sources=sources');
  const all = await card(page, 'visitors').textContent();
  ensure(all === (await visitors([])), `all visitors: ${all}`);

  // A row becomes a filter of everything.
  await panel(page, 'sources').getByRole('button', { name: 'Google', exact: true }).click();
  await cardShows(page, 'visitors', await visitors([google]));
  await settled(page);
  ensure(parameters(page).includes('f=is,source,Google'), page.url());
  const pages = await ask({ metrics: ['visitors'], dimensions: ['event:page'], date_range: '28d', filters: [google], pagination: { limit: 9, offset: 0 }, order_by: [['visitors', 'desc'], ['event:page', 'asc']] });
  await becomes('pages of visitors from Google', async () => (await rowsOf(panel(page, 'pages'))).map(([name, figure]) => [name, figure]), pages.results.map((row) => [row.dimensions[0], written(row.metrics[0])]));
  ensure((await panel(page, 'sources').getByRole('button', { name: 'Google', exact: true }).getAttribute('aria-pressed')) === 'true', 'the row says that it is chosen');

  // With Alt all but the row.
  await panel(page, 'technology').getByRole('button', { name: 'Safari', exact: true }).click({ modifiers: ['Alt'] });
  const notSafari = ['is_not', 'visit:browser', ['Safari']];
  await cardShows(page, 'visitors', await visitors([google, notSafari]));

  // One of both is enough.
  await page.getByRole('button', { name: 'match all' }).click();
  await cardShows(page, 'visitors', await visitors([['or', [google, notSafari]]]));
  ensure(parameters(page).includes('match=any'), page.url());

  // Back, step by step, and forth.
  await page.goBack();
  await cardShows(page, 'visitors', await visitors([google, notSafari]));
  await page.goBack();
  await cardShows(page, 'visitors', await visitors([google]));
  await page.goBack();
  await cardShows(page, 'visitors', all);
  ensure(!page.url().includes('f='), page.url());
  await page.goForward();
  await cardShows(page, 'visitors', await visitors([google]));

  // A chip is changed on a click: a second value is an alternative.
  await page.getByRole('button', { name: 'Source is Google', exact: true }).click();
  const editor = page.getByRole('dialog', { name: 'Change filter' });
  await editor.getByLabel('Value', { exact: false }).first().waitFor();
  await editor.locator('#filter-value').fill('Instagram');
  await editor.getByRole('button', { name: 'Change filter' }).click();
  await cardShows(page, 'visitors', await visitors([['is', 'visit:source', ['Google', 'Instagram']]]));

  // A new one by its form, with a suggestion of the site's own values.
  await page.getByRole('button', { name: 'Add a filter' }).click();
  const maker = page.getByRole('dialog', { name: 'Add a filter' });
  await maker.getByLabel('Filter by').selectOption({ label: 'Country' });
  await maker.getByRole('button', { name: 'Austria', exact: true }).click();
  await maker.getByRole('button', { name: 'Add filter', exact: true }).click();
  await cardShows(page, 'visitors', await visitors([['is', 'visit:source', ['Google', 'Instagram']], ['is', 'visit:country', ['AT']]]));

  // Nothing given is said, and keeps the form.
  await page.getByRole('button', { name: 'Add a filter' }).click();
  await maker.getByRole('button', { name: 'Add filter', exact: true }).click();
  await maker.getByText('Give at least one value.').waitFor();
  await page.keyboard.press('Escape');
  await maker.waitFor({ state: 'detached' });

  // The filters under a name, which the API then knows.
  await page.getByRole('button', { name: 'Save as segment' }).click();
  const namer = page.getByRole('dialog', { name: 'Save as segment' });
  await namer.getByLabel('Name').fill('Austrians from afar');
  await namer.getByRole('button', { name: 'Save segment' }).click();
  await namer.waitFor({ state: 'detached' });
  const [segment] = await ask(null, `/api/segments?site_id=${SITE}`, 'GET');
  ensure(segment.name === 'Austrians from afar' && segment.type === 'personal', JSON.stringify(segment));
  const narrowed = await card(page, 'visitors').textContent();
  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  await cardShows(page, 'visitors', all);
  await page.getByRole('button', { name: 'Add a filter' }).click();
  await maker.getByLabel('Filter by').selectOption({ label: 'Segment' });
  await maker.locator('#filter-value').fill('Austrians from afar');
  await maker.getByRole('button', { name: 'Add filter', exact: true }).click();
  await page.getByRole('button', { name: 'Segment is Austrians from afar', exact: true }).waitFor();
  await cardShows(page, 'visitors', narrowed);

  // The cross takes it away.
  await page.getByRole('button', { name: 'Remove filter Segment is Austrians from afar' }).click();
  await cardShows(page, 'visitors', all);

  // A goal narrows to those who reached it, and lists say at which rate.
  await panel(page, 'behaviour').getByRole('button', { name: 'Purchase', exact: true }).click();
  await cardShows(page, 'visitors', await visitors([['is', 'event:goal', ['Purchase']]]));
  await settled(page);
  const [orders] = await totals(['events'], { filters: [['is', 'event:goal', ['Purchase']]] });
  await cardShows(page, 'events', written(orders));
  ensure((await page.locator('.card [data-metric=bounce_rate]').count()) === 0, 'those who reached a goal have no bounce rate');
  // The rate of a row is that among its own visitors.
  await panel(page, 'sources').getByRole('columnheader', { name: 'Rate' }).waitFor();
  const bySource = await ask({ metrics: ['visitors', 'group_conversion_rate'], dimensions: ['visit:source'], date_range: '28d', filters: [['is', 'event:goal', ['Purchase']]], order_by: [['visitors', 'desc'], ['visit:source', 'asc']], pagination: { limit: 9, offset: 0 } });
  const rate = (value) => new Intl.NumberFormat('en-US', { style: 'percent', minimumFractionDigits: value < 10 ? 2 : 1, maximumFractionDigits: value < 10 ? 2 : 1 }).format(value / 100);
  await becomes('rates by source', () => rowsOf(panel(page, 'sources')), bySource.results.map((row) => [row.dimensions[0], written(row.metrics[0]), rate(row.metrics[1])]));
});
