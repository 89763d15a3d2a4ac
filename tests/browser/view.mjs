// What the tests of the main view share: a signed-in page, what it shows, what the API says.
import { browse, ensure } from './browser.mjs';

const { QUERY, KEY, SITE } = process.env;

/** A page of a reader who is signed in already. */
export function read(work, options = {}) {
  return browse(async (page) => {
    await page.context().request.post(`${QUERY}/api/session`, { data: { key: options.key ?? KEY } });
    // Says that there is a session; the form does the same.
    await page.addInitScript(() => location.protocol === 'http:' && localStorage.setItem('weir.session', '1'));
    await work(page);
  }, options);
}

/** Opens an address of the site and waits for its figures. */
export async function open(page, search = '') {
  await page.goto(`${QUERY}/?site=${SITE}${search}`);
  await settled(page);
}

/** Waits until the page shows the figures that it asked for last. */
export async function settled(page) {
  await page.waitForFunction(() => {
    const main = document.querySelector('main');
    return main?.getAttribute('aria-busy') === 'false' && !main.querySelector('.card-value.skeleton') && !main.querySelector('.stale');
  }).catch(async () => {
    throw new Error(`the figures do not come: ${await page.evaluate(() => document.body.innerText)}`);
  });
}

/** Asks the API as a program would. */
export async function ask(body, path = '/api/v2/query', method = 'POST') {
  const response = await fetch(`${QUERY}${path}`, {
    method,
    headers: { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json' },
    ...(method === 'GET' ? {} : { body: JSON.stringify({ site_id: SITE, ...body }) }),
  });
  const answer = await response.json();
  ensure(response.ok, `${path}: ${response.status} ${JSON.stringify(answer)} for ${JSON.stringify(body)}`);
  return answer;
}

/** The figures of one row without dimensions. */
export async function totals(metrics, more = {}) {
  return (await ask({ metrics, date_range: '28d', ...more })).results[0].metrics;
}

/** The figure on a card, as it is written. */
export const card = (page, metric) => page.locator(`.card [data-metric=${metric}]`);

/** Waits until a card shows this. */
export async function cardShows(page, metric, text) {
  await page.waitForFunction(
    ([name, wanted]) => document.querySelector(`.card [data-metric=${name}]`)?.textContent === wanted,
    [metric, text],
  ).catch(async () => {
    throw new Error(`${metric} is ${await card(page, metric).textContent()}, not ${text}: ${page.url()}`);
  });
}

/** A number as the page writes it. */
export const written = (number) => new Intl.NumberFormat('en-US').format(number);

/** A panel of the page. */
export const panel = (page, name) => page.locator(`[data-panel=${name}]`);

/** The rows of a panel: the name and each figure, as they are written. */
export const rowsOf = (within) =>
  within.locator('tbody tr').evaluateAll((rows) =>
    rows.map((row) => [row.querySelector('.row-text').textContent, ...[...row.querySelectorAll('td')].map((cell) => cell.textContent)]));

/** Waits until what `look` finds is this, as JSON. */
export async function becomes(what, look, wanted) {
  const deadline = Date.now() + 15_000;
  const text = JSON.stringify(wanted);
  for (;;) {
    const found = JSON.stringify(await look());
    if (found === text) return;
    if (Date.now() > deadline) throw new Error(`${what}: found ${found}, expected ${text}`);
    await new Promise((soon) => setTimeout(soon, 50));
  }
}

/** The parameters of the page's address, its site left out. */
export function parameters(page) {
  return [...new URL(page.url()).searchParams].filter(([name]) => name !== 'site').map(([name, value]) => `${name}=${value}`);
}
