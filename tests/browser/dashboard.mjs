// The owner of the site: signs in with the key and reads the figures.
import { browse, ensure } from './browser.mjs';

const { QUERY, KEY, SITE, SCREENSHOTS } = process.env;

/** Waits until the page's text holds this. */
const shows = (page, text) =>
  page.waitForFunction((wanted) => document.body.innerText.toLowerCase().includes(wanted.toLowerCase()), text).catch(async () => {
    await page.screenshot({ path: `${SCREENSHOTS}/dashboard-failed.png`, fullPage: true });
    throw new Error(`the page does not show "${text}", but: ${await page.evaluate(() => document.body.innerText)}`);
  });

await browse(async (page) => {
  await page.goto(`${QUERY}/?period=day`);
  ensure(!(await page.content()).includes(KEY), 'the page knows the key before it is given');
  await page.getByLabel('API key', { exact: true }).fill(KEY);
  await page.getByRole('button', { name: 'Sign in' }).click();

  // The cards with today's figures.
  await shows(page, SITE);
  for (const [label, value] of [['Visitors', '1'], ['Visits', '1'], ['Pageviews', '3']]) {
    const card = page.locator('.card', { has: page.getByText(label, { exact: true }) }).filter({ hasText: value });
    await card.waitFor().catch(() => shows(page, `${label} ${value}`));
  }
  // Top pages, sources, browsers.
  for (const text of ['/second', '/third', 'Direct', 'Chrome']) await shows(page, text);
  // The chart is there and has a size.
  const boxes = await Promise.all((await page.locator('main svg').all()).map((chart) => chart.boundingBox()));
  ensure(boxes.some((box) => box && box.width > 300 && box.height > 80), `no chart of a good size: ${JSON.stringify(boxes)}`);
  await page.screenshot({ path: `${SCREENSHOTS}/dashboard.png`, fullPage: true });

  // On a phone nothing is wider than the screen.
  await page.setViewportSize({ width: 390, height: 844 });
  await shows(page, '/second');
  await page.screenshot({ path: `${SCREENSHOTS}/dashboard-phone.png`, fullPage: true });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  ensure(overflow <= 0, `the page is ${overflow} px wider than a phone's screen`);
  ensure(!page.url().includes(KEY), 'the key is in the address');
});
