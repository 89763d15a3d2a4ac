// The owner of the site: signs in with the key and reads the figures.
import { browse, ensure } from './browser.mjs';

const { QUERY, KEY, SITE, SCREENSHOTS } = process.env;

/** Waits until the page's text holds all of these. */
async function shows(page, ...texts) {
  for (const text of texts) {
    await page.waitForFunction((wanted) => document.body.innerText.toLowerCase().includes(wanted.toLowerCase()), text);
  }
}

await browse(async (page) => {
  await page.goto(QUERY);
  ensure(!(await page.content()).includes(KEY), 'the page knows the key before it is given');
  await page.getByLabel('API key', { exact: true }).fill(KEY);
  await page.getByRole('button', { name: 'Sign in' }).click();

  // The cards with today's figures.
  await shows(page, SITE);
  const card = (label) => page.getByRole('button', { name: new RegExp(`^${label}`, 'i') }).first();
  for (const period of ['Today']) {
    const chooser = page.getByText(period, { exact: true }).first();
    if (await chooser.isVisible().catch(() => false)) await chooser.click();
  }
  const today = new URL(page.url());
  if (!today.searchParams.get('period') || today.searchParams.get('period') !== 'day') {
    today.searchParams.set('period', 'day');
    await page.goto(today.href);
  }
  for (const [label, value] of [['Visitors', '1'], ['Visits', '1'], ['Pageviews', '3']]) {
    await card(label).filter({ hasText: value }).waitFor();
  }
  // Top pages, sources, devices.
  await shows(page, '/second', '/third', 'Direct', 'Chrome');
  // The chart is there and has a size.
  const chart = page.locator('main svg').first();
  await chart.waitFor();
  const box = await chart.boundingBox();
  ensure(box && box.width > 5 && box.height > 5, 'the chart has no size');
  await page.screenshot({ path: `${SCREENSHOTS}/dashboard.png`, fullPage: true });

  // On a phone nothing is wider than the screen.
  await page.setViewportSize({ width: 390, height: 844 });
  await page.screenshot({ path: `${SCREENSHOTS}/dashboard-phone.png`, fullPage: true });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  ensure(overflow <= 0, `the page is ${overflow} px wider than a phone's screen`);

  // A wrong key is refused with a word.
  await page.evaluate(() => { sessionStorage.clear(); localStorage.clear(); });
});
