// Periods are days of the site's zone, whatever the reader's; comparisons show in cards, chart and rows; a stretch of the chart becomes the period.
import { ensure } from './browser.mjs';
import { ask, becomes, cardShows, open, panel, parameters, read, settled, written } from './view.mjs';

const { ZONE } = process.env;
const today = new Intl.DateTimeFormat('sv', { timeZone: ZONE, dateStyle: 'short' }).format(new Date());
const day = (ago) => new Date(Date.parse(`${today}T00:00:00Z`) - ago * 86_400_000).toISOString().slice(0, 10);
const visitors = async (range, include = {}) => (await ask({ metrics: ['visitors'], date_range: range, include })).results[0];
const shows = async (page, range) => cardShows(page, 'visitors', written((await visitors(range)).metrics[0]));

// A reader on the other side of the earth.
await read(async (page) => {
  await open(page, '&period=28d');
  await shows(page, '28d');

  // Each key is its period, asked in the site's zone.
  for (const [key, range, parameter] of [
    ['e', [day(1), day(1)], `period=day,date=${day(1)}`],
    ['w', '7d', 'period=7d'], ['t', '30d', 'period=30d'], ['n', '91d', 'period=91d'], ['m', 'month', 'period=month'], ['y', 'year', 'period=year'],
    ['s', '6mo', 'period=6mo'], ['l', '12mo', 'period=12mo'], ['a', 'all', 'period=all'],
  ]) {
    await page.keyboard.press(key);
    await shows(page, range);
    ensure(parameters(page).join() === parameter, `${key}: ${page.url()}`);
  }
  // The chart's hours of yesterday are the zone's.
  await page.keyboard.press('e');
  await settled(page);
  const hours = await ask({ metrics: ['visitors'], dimensions: ['time:hour'], date_range: [day(1), day(1)], include: { time_labels: true } });
  await page.getByRole('button', { name: 'Table', exact: true }).click();
  const table = page.getByRole('table', { name: 'Figures per hour' });
  await becomes('hours', () => table.locator('tbody tr').count(), hours.meta.time_labels.length);
  const byHour = new Map(hours.results.map((row) => [row.dimensions[0], row.metrics[0]]));
  await becomes('visitors by hour', () => table.locator('tbody tr td:first-of-type').allTextContents(), hours.meta.time_labels.map((label) => written(byHour.get(label) ?? 0)).reverse());
  await page.getByRole('button', { name: 'Chart', exact: true }).click();

  // Before and after.
  await page.keyboard.press('ArrowLeft');
  await shows(page, [day(2), day(2)]);
  await page.getByRole('button', { name: 'Period after' }).click();
  await shows(page, [day(1), day(1)]);
  await page.keyboard.press('ArrowRight');
  await shows(page, 'day');
  ensure(await page.getByRole('button', { name: 'Period after' }).isDisabled(), 'nothing comes after today');

  // Dates of one's own; wrong ones are said.
  await page.keyboard.press('c');
  const sheet = page.getByRole('group', { name: 'Period and comparison' });
  await sheet.getByLabel('From').fill(day(10));
  await sheet.getByLabel('To').fill(day(12));
  await sheet.getByRole('button', { name: 'Show these dates' }).click();
  await sheet.getByText('The first day must not be after the last.').waitFor();
  await sheet.getByLabel('To').fill(day(5));
  await sheet.getByRole('button', { name: 'Show these dates' }).click();
  await sheet.waitFor({ state: 'detached' });
  await shows(page, [day(10), day(5)]);
  ensure(parameters(page).join() === `period=custom,from=${day(10)},to=${day(5)}`, page.url());

  // Compared: the card says from what, the rows how they changed, the chart draws the other line.
  await page.keyboard.press('f');
  await page.keyboard.press('x');
  await settled(page);
  const compared = await visitors('28d', { comparisons: { mode: 'previous_period' } });
  await page.locator('.card', { hasText: 'Visitors' }).getByText(`from ${written(compared.comparison.metrics[0])}`).waitFor();
  const [change] = compared.comparison.change;
  await page.locator('.card', { hasText: 'Visitors' }).getByText(change > 0 ? `up ${change}%` : change < 0 ? `down ${-change}%` : 'no change', { exact: false }).waitFor();
  await page.waitForFunction(() => document.querySelector('.chart-ghost')?.getAttribute('d').length > 50);
  const channels = await ask({ metrics: ['visitors'], dimensions: ['visit:channel'], date_range: '28d', include: { comparisons: { mode: 'previous_period' } }, order_by: [['visitors', 'desc'], ['visit:channel', 'asc']] });
  const signs = channels.results.slice(0, 9).map((row) => {
    const by = row.comparison.change[0];
    if (row.comparison.metrics[0] === 0 && by > 0) return 'new';
    return by === null ? '' : by === 0 ? '=' : `${by > 0 ? '▲' : '▼'} ${written(Math.abs(by))}%`;
  });
  await becomes('changes of rows', () => panel(page, 'sources').locator('tbody tr').evaluateAll((rows) => rows.map((row) => row.querySelector('.row-delta [aria-hidden]')?.textContent ?? '')), signs);
  await page.keyboard.press('c');
  await sheet.getByLabel('The year before').check();
  await page.keyboard.press('Escape');
  ensure(parameters(page).includes('comparison=year_over_year'), page.url());
  await page.keyboard.press('x');
  await page.waitForFunction(() => document.querySelector('.chart-ghost')?.getAttribute('d') === '');

  // A dragged stretch is the new period.
  await settled(page);
  const plot = await page.locator('.chart-plot').boundingBox();
  await page.mouse.move(plot.x + plot.width * 0.35, plot.y + 80);
  await page.mouse.down();
  await page.mouse.move(plot.x + plot.width * 0.5, plot.y + 90, { steps: 4 });
  await page.locator('.chart-selection').waitFor();
  await page.mouse.up();
  await page.waitForURL((url) => url.searchParams.get('period') === 'custom');
  const { searchParams } = new URL(page.url());
  const [from, to] = [searchParams.get('from'), searchParams.get('to')];
  ensure(from > day(28) && to < day(1) && from < to, page.url());
  await shows(page, [from, to]);

  // A click leads into a day.
  await page.goBack();
  await settled(page);
  await page.mouse.click(plot.x + plot.width - 11, plot.y + 100);
  await page.waitForURL((url) => url.searchParams.get('date') === day(1));
  await shows(page, [day(1), day(1)]);

  // Hours that may still change are hatched: as many as the API names.
  await page.keyboard.press('d');
  await becomes('hatched hours', async () => {
    const { meta } = await ask({ metrics: ['visitors'], date_range: 'day' });
    return (await page.locator('[data-open]').getAttribute('data-open')) === String(meta.open_hours.length);
  }, true);
}, { context: { timezoneId: 'Pacific/Auckland' } });
