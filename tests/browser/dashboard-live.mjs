// Visitors who come now are seen without a reload and without a flicker; notes stand on the chart.
import { ensure } from './browser.mjs';
import { ask, becomes, card, open, read, settled } from './view.mjs';

const { COLLECTOR, SITE } = process.env;
const AGENT = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15';

/** A page view of a visitor of this number, by way of a trusted proxy. */
async function visit(number, path) {
  const response = await fetch(`${COLLECTOR}/api/event`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'User-Agent': AGENT, 'X-Forwarded-For': `198.18.7.${number}` },
    body: JSON.stringify({ n: 'pageview', d: SITE, u: `https://${SITE}${path}` }),
  });
  ensure(response.status === 202, `the collector answered ${response.status}`);
}
const present = async () => (await ask({ metrics: ['visitors'], date_range: 'realtime' })).results[0].metrics[0];

await read(async (page) => {
  await page.clock.install();
  await open(page, '&period=day');
  const now = page.locator('.present');
  await now.waitFor();
  // Whatever is drawn anew is not this node any more.
  await page.evaluate(() => {
    globalThis.kept = [...document.querySelectorAll('.card-value, .panel, .chart-line')];
    globalThis.emptied = 0;
    new MutationObserver(() => {
      if (document.querySelector('.card-value.skeleton, .chart-skeleton, .list-skeleton:not([hidden] *)') && !document.querySelector('[data-panel=vitals] .list-skeleton')) globalThis.emptied += 1;
    }).observe(document.body, { childList: true, subtree: true });
  });
  const before = await present();
  for (const number of [1, 2, 3]) await visit(number, '/live');
  await becomes('the API sees them', present, before + 3);
  await page.clock.fastForward(31_000);
  await becomes('present visitors', async () => (await now.innerText()).replace(/\s+/g, ' ').trim(), `${before + 3} now`);
  const today = (await ask({ metrics: ['visitors'], date_range: 'day' })).results[0].metrics[0];
  await becomes('visitors of today', () => card(page, 'visitors').textContent(), String(today));
  ensure(await page.evaluate(() => globalThis.kept.every((node) => node.isConnected)), 'cards, panels and line are the same nodes as before');
  ensure((await page.evaluate(() => globalThis.emptied)) === 0, 'nothing was emptied meanwhile');

  // The present is a period, by a click on it: minutes.
  await now.click();
  await page.getByRole('heading', { name: 'Visitors per minute' }).waitFor();
  await settled(page);
  const minutes = await ask({ metrics: ['visitors'], date_range: '30m' });
  await becomes('visitors of half an hour', () => card(page, 'visitors').textContent(), String(minutes.results[0].metrics[0]));

  // A note, by keys alone, is kept and stands on the chart.
  await page.keyboard.press('f');
  await page.getByRole('heading', { name: 'Visitors per day' }).waitFor();
  await settled(page);
  await page.locator('[data-chart]').focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('m');
  const form = page.getByRole('dialog', { name: 'Write a note' });
  await form.getByLabel('Note').fill('New shelf');
  await page.keyboard.press('Enter');
  await form.waitFor({ state: 'detached' });
  await page.locator('.chart-mark').waitFor();
  const [note] = await ask(null, `/api/annotations?site_id=${SITE}`, 'GET');
  ensure(note.note === 'New shelf' && note.type === 'personal', JSON.stringify(note));
  await page.locator('[data-chart]').focus();
  await page.keyboard.press('Home');
  await becomes('the note is said', () => page.locator('[data-chart]').getAttribute('aria-valuetext').then((text) => text.includes('note: New shelf')), true);

  // Taken away again, it is on neither.
  await page.getByRole('button', { name: 'More', exact: true }).click();
  await page.getByRole('group', { name: 'More' }).getByRole('button', { name: 'Notes', exact: true }).click();
  const notes = page.getByRole('dialog', { name: 'Notes' });
  await notes.getByRole('button', { name: 'Delete New shelf' }).click();
  await notes.getByText('Nothing is noted yet.').waitFor();
  ensure((await ask(null, `/api/annotations?site_id=${SITE}`, 'GET')).length === 0, 'the note is still kept');
  await page.keyboard.press('Escape');
  await page.locator('.chart-mark').waitFor({ state: 'detached' });
});
