// What every panel shows is what the API answers to a question that was put independently of the page.
import { ensure } from './browser.mjs';
import { ask, becomes, open, panel, read, rowsOf, settled, written } from './view.mjs';

const percent = (value, digits = value < 10 ? 1 : 0) => new Intl.NumberFormat('en-US', { style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value / 100);
const money = (amount) => new Intl.NumberFormat('en-US', { style: 'currency', currency: amount.currency, currencyDisplay: 'narrowSymbol', ...(amount.value >= 100 ? { maximumFractionDigits: 0 } : {}) }).format(amount.value);
const nameOf = new Intl.DisplayNames('en-US', { type: 'region' });

/** The first rows of a question, each figure written as its column is. */
async function expected(dimension, metrics, { filters = [], leaveOut, name = (value) => value, write } = {}) {
  const writers = write ?? { visitors: written, visits: written, pageviews: written, events: written, percentage: (value) => percent(value), conversion_rate: (value) => percent(value, value < 10 ? 2 : 1), total_revenue: (value) => (value ? money(value) : '–'), average_revenue: (value) => (value ? money(value) : '–') };
  const answer = await ask({ metrics, dimensions: [dimension], date_range: '28d', filters, order_by: [[metrics[0], 'desc'], [dimension, 'asc']], pagination: { limit: 12, offset: 0 } });
  ensure(answer.results.length > 0, `the set has nothing by ${dimension}`);
  return answer.results
    .filter((row) => row.dimensions[0] !== leaveOut)
    .slice(0, 9)
    .map((row) => [name(row.dimensions[0]), ...metrics.map((metric, index) => writers[metric](row.metrics[index]))]);
}

await read(async (page) => {
  await open(page);
  /** Chooses a tab and compares its rows. */
  const compares = async (name, tab, rows, which) => {
    const within = panel(page, name);
    await within.scrollIntoViewIfNeeded();
    await within.locator('.tabs').getByRole('button', { name: tab, exact: true }).click();
    if (which) await within.locator('thead select').selectOption({ label: which });
    await becomes(`${name}: ${which ?? tab}`, () => rowsOf(within), rows);
  };
  const share = ['visitors', 'percentage'];

  await compares('sources', 'Channels', await expected('visit:channel', share));
  await compares('sources', 'Sources', await expected('visit:source', share));
  await compares('sources', 'Referrers', await expected('visit:referrer', share, { leaveOut: 'Direct / None' }));
  await compares('sources', 'Campaigns', await expected('visit:utm_campaign', share, { leaveOut: '(not set)' }));
  for (const [which, dimension] of [['UTM source', 'utm_source'], ['UTM medium', 'utm_medium'], ['UTM content', 'utm_content'], ['UTM term', 'utm_term']]) {
    await compares('sources', 'Campaigns', await expected(`visit:${dimension}`, share, { leaveOut: '(not set)' }), which);
  }

  await compares('pages', 'Top', await expected('event:page', ['visitors', 'pageviews']));
  await compares('pages', 'Entry', await expected('visit:entry_page', ['visitors', 'visits']));
  await compares('pages', 'Exit', await expected('visit:exit_page', ['visitors', 'visits']));
  await compares('pages', 'Outbound', await expected('event:props:url', ['visitors', 'events'], { filters: [['is', 'event:name', ['Outbound Link: Click']]], leaveOut: '(none)' }));
  await compares('pages', '404', await expected('event:props:path', ['visitors', 'events'], { filters: [['is', 'event:name', ['404']]], leaveOut: '(none)' }));

  await compares('locations', 'Countries', await expected('visit:country', share, { name: (code) => nameOf.of(code) }));
  for (const tab of ['Regions', 'Cities']) {
    await panel(page, 'locations').getByRole('button', { name: tab, exact: true }).click();
    await panel(page, 'locations').getByText(`No ${tab.toLowerCase()} are known.`, { exact: false }).waitFor();
  }
  // The map has a tone for every country of the answer that it draws, and says the figures of the one that is pointed at.
  const countries = await ask({ metrics: ['visitors'], dimensions: ['visit:country'], date_range: '28d' });
  await panel(page, 'locations').getByRole('button', { name: 'Map', exact: true }).click();
  await panel(page, 'locations').locator('[data-country=DE]').waitFor();
  const toned = await panel(page, 'locations').locator('.land:not(.tone-0)').evaluateAll((shapes) => [...new Set(shapes.map((shape) => shape.dataset.country))].sort());
  ensure(JSON.stringify(toned) === JSON.stringify(countries.results.map((row) => row.dimensions[0]).sort()), `countries on the map: ${toned}`);
  await panel(page, 'locations').locator('[data-country=US]').hover();
  const us = countries.results.find((row) => row.dimensions[0] === 'US').metrics[0];
  await panel(page, 'locations').getByText(`${written(us)} visitors`).waitFor();

  await compares('technology', 'Browsers', await expected('visit:browser', share));
  await compares('technology', 'Browsers', await expected('visit:browser_version', share), 'Version');
  await compares('technology', 'Systems', await expected('visit:os', share));
  await compares('technology', 'Systems', await expected('visit:os_version', share), 'Version');
  await compares('technology', 'Devices', await expected('visit:device', share));

  await compares('behaviour', 'Goals', await expected('event:goal', ['visitors', 'events', 'conversion_rate', 'total_revenue']));
  await compares('behaviour', 'Properties', await expected('event:props:product', ['visitors', 'events', 'percentage']), 'product');

  const anyGoal = [['contains', 'event:goal', ['']]];
  const revenue = ['total_revenue', 'average_revenue'];
  await compares('shop', 'Products', await expected('event:props:product', revenue, { filters: anyGoal, leaveOut: '(none)' }));
  await compares('shop', 'Sources', await expected('visit:source', revenue, { filters: anyGoal }));
  await compares('shop', 'Channels', await expected('visit:channel', revenue, { filters: anyGoal }));
  await compares('shop', 'Countries', await expected('visit:country', revenue, { filters: anyGoal, name: (code) => nameOf.of(code) }));
  await compares('shop', 'Coupons', await expected('event:props:coupon', revenue, { filters: anyGoal, leaveOut: '(none)' }));

  // Vitals: the value that three of four loads do not exceed.
  const vitals = panel(page, 'vitals');
  await vitals.scrollIntoViewIfNeeded();
  for (const name of ['LCP', 'INP', 'CLS', 'FCP', 'TTFB']) {
    const answer = await ask({ metrics: ['events'], dimensions: [`event:props:${name}`], date_range: '28d', filters: [['is', 'event:name', ['Web Vitals']]] });
    const values = answer.results.flatMap((row) => Array(row.metrics[0]).fill(Number(row.dimensions[0]))).sort((one, other) => one - other);
    const found = values[Math.ceil(values.length * 0.75) - 1];
    const text = name === 'CLS'
      ? new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 }).format(found)
      : new Intl.NumberFormat('en-US', { style: 'unit', unit: found >= 1000 ? 'second' : 'millisecond', unitDisplay: 'narrow', maximumFractionDigits: found >= 1000 ? 1 : 0 }).format(found >= 1000 ? found / 1000 : found);
    await vitals.locator('.vital', { hasText: name }).getByText(text, { exact: true }).waitFor();
  }

  // Details: every figure of the API's, sorted as the reader wants, searched, and as a file.
  await panel(page, 'pages').locator('.tabs').getByRole('button', { name: 'Top', exact: true }).click();
  await settled(page);
  await panel(page, 'pages').getByRole('button', { name: 'rows of Top' }).click();
  const details = page.getByRole('dialog', { name: 'Pages: Top' });
  const all = ['visitors', 'percentage', 'pageviews', 'bounce_rate', 'time_on_page', 'scroll_depth'];
  const sorted = async (metric, direction, filters = []) =>
    (await ask({ metrics: all, dimensions: ['event:page'], date_range: '28d', filters, order_by: [[metric, direction], ['event:page', 'asc']] })).results.map((row) => [row.dimensions[0], written(row.metrics[0])]);
  const shown = async () => (await rowsOf(details)).map(([name, visitors]) => [name, visitors]);
  await becomes('details', shown, await sorted('visitors', 'desc'));
  await details.getByRole('button', { name: 'Views' }).click();
  await becomes('details by views', shown, await sorted('pageviews', 'desc'));
  await details.getByRole('button', { name: 'Views' }).click();
  await becomes('details by views, upwards', shown, await sorted('pageviews', 'asc'));
  ensure((await details.getByRole('columnheader', { name: 'Views' }).getAttribute('aria-sort')) === 'ascending', 'aria-sort');
  await details.getByRole('searchbox').fill('linen');
  await becomes('details of linen', shown, await sorted('pageviews', 'asc', [['contains', 'event:page', ['linen']]]));
  const [file] = await Promise.all([page.waitForEvent('download'), details.getByRole('button', { name: 'Download CSV' }).click()]);
  ensure(file.suggestedFilename().endsWith('.csv'), file.suggestedFilename());
  const text = await (await file.createReadStream()).toArray();
  const lines = Buffer.concat(text).toString().trim().split(/\r?\n/);
  ensure(lines.length - 1 === (await shown()).length, `the file has ${lines.length} lines: ${lines[0]}`);

  // The call behind a panel asks for what the panel shows.
  await details.getByRole('button', { name: 'API' }).click();
  const call = page.getByRole('dialog', { name: 'Pages: Top: the API call' });
  const body = JSON.parse(await call.getByRole('region', { name: 'The body of the query' }).textContent());
  const answer = await ask(body);
  ensure(JSON.stringify(answer.results.map((row) => row.dimensions[0])) === JSON.stringify((await shown()).map(([name]) => name)), 'the shown call gives the rows');
  await page.keyboard.press('Escape');
  await call.waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await details.waitFor({ state: 'detached' });

  // The ledger adds up as the API says.
  await page.getByRole('button', { name: /^Complete to/ }).click();
  const ledger = page.getByRole('dialog', { name: 'Ledger' });
  await ledger.getByText('It adds up.').waitFor();
});
