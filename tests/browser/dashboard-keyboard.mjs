// Hands on the keyboard alone: everything can be reached, its focus is seen, and every shortcut does what its sheet says.
import { ensure } from './browser.mjs';
import { becomes, card, open, panel, parameters, read, settled } from './view.mjs';

/** What has the focus: its name, and whether one sees that it has. */
const focused = (page) =>
  page.evaluate(() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const style = getComputedStyle(one);
    const seen = (style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== 'none';
    const name = one.getAttribute('aria-label') ?? one.labels?.[0]?.innerText ?? one.innerText ?? '';
    const box = one.getBoundingClientRect();
    return { name: name.replace(/\s+/g, ' ').trim(), tag: one.tagName.toLowerCase(), seen, within: one.closest('[data-panel]')?.dataset.panel ?? one.closest('dialog')?.getAttribute('aria-label') ?? null, size: box.width * box.height };
  });

await read(async (page) => {
  await open(page, '&period=28d');
  await panel(page, 'vitals').scrollIntoViewIfNeeded();
  await panel(page, 'vitals').locator('.vital').first().waitFor();
  await page.evaluate(() => scrollTo(0, 0));

  // From the first stop to the last one.
  const stops = [];
  for (let step = 0; step < 400; step += 1) {
    await page.keyboard.press('Tab');
    const at = await focused(page);
    if (at === null || (at.name === stops[0]?.name && stops.length > 3)) break;
    ensure(at.seen, `the focus on ${at.tag} "${at.name}" cannot be seen`);
    ensure(at.size > 0, `${at.tag} "${at.name}" has the focus and no size`);
    stops.push(at);
  }
  const names = stops.map((stop) => stop.name);
  ensure(names[0].startsWith('Skip to'), `the first stop: ${names[0]}`);
  for (const wanted of ['Add a filter', 'Period before', 'Commands', 'More', 'Visitors over time', 'Length of the buckets', 'Table', 'Campaigns', 'Organic Search', '/collections/linen', 'Purchase']) {
    ensure(names.some((name) => name.includes(wanted)), `the tabulator does not reach ${wanted}: ${names.join(' | ')}`);
  }
  for (const name of ['sources', 'pages', 'locations', 'technology', 'behaviour', 'shop', 'vitals']) {
    ensure(stops.some((stop) => stop.within === name), `the tabulator does not reach the panel ${name}`);
  }
  ensure(stops.filter((stop) => stop.tag === 'button' && stop.name.includes('Conversion')).length === 1, 'each card is one stop');

  // The chart is a slider: its value is said, a day opened, a stretch marked.
  const chart = page.locator('[data-chart]');
  await chart.focus();
  await page.keyboard.press('End');
  const last = await chart.getAttribute('aria-valuetext');
  await page.keyboard.press('ArrowLeft');
  await becomes('the day before is said', async () => (await chart.getAttribute('aria-valuetext')) !== last, true);
  ensure(/\d visitors/.test(await chart.getAttribute('aria-valuetext')), await chart.getAttribute('aria-valuetext'));
  ensure(parameters(page).join() === 'period=28d', 'an arrow on the chart does not change the period');
  await page.keyboard.press('Shift+ArrowLeft');
  await page.keyboard.press('Shift+ArrowLeft');
  await page.locator('.chart-selection').waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.searchParams.get('period') === 'custom');
  await settled(page);
  await chart.focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.searchParams.get('period') === 'day');

  // Interval, comparison, filters by a key.
  await page.locator('h1').first().evaluate(() => document.activeElement.blur());
  await page.keyboard.press('f');
  await page.keyboard.press('i');
  await becomes('the next interval', () => parameters(page), ['interval=hour']);
  await page.keyboard.press('x');
  await becomes('compared', () => parameters(page).includes('comparison=previous_period'), true);
  await page.keyboard.press('x');
  await page.keyboard.press('/');
  const editor = page.getByRole('dialog', { name: 'Add a filter' });
  await editor.waitFor();
  ensure((await focused(page)).tag === 'select', 'the form begins at its first field');
  // Inside a form keys are text.
  await editor.locator('#filter-value').focus();
  await page.keyboard.type('/cart');
  await page.keyboard.press('Enter');
  await editor.getByRole('list', { name: 'Values' }).getByText('/cart', { exact: true }).waitFor();
  await page.keyboard.press('Enter');
  await editor.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Page is /cart', exact: true }).waitFor();
  ensure(!parameters(page).some((one) => one.startsWith('period=')), `letters in a field are no shortcuts: ${page.url()}`);
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Page is /cart', exact: true }).waitFor({ state: 'detached' });

  // A row by Enter, and the same row again.
  await panel(page, 'pages').getByRole('button', { name: '/cart', exact: true }).press('Enter');
  await page.getByRole('button', { name: 'Page is /cart', exact: true }).waitFor();
  await settled(page);
  await panel(page, 'pages').getByRole('button', { name: '/cart', exact: true }).press('Enter');
  await page.getByRole('button', { name: 'Page is /cart', exact: true }).waitFor({ state: 'detached' });

  // With Alt all but the row.
  await panel(page, 'pages').getByRole('button', { name: '/cart', exact: true }).press('Alt+Enter');
  await page.getByRole('button', { name: 'Page is not /cart', exact: true }).waitFor();
  await page.getByRole('button', { name: 'Remove filter Page is not /cart' }).press('Enter');
  await settled(page);

  // The palette: found by typing, run by Enter; the focus stays inside while it is open.
  await page.keyboard.press('Control+k');
  const palette = page.getByRole('dialog', { name: 'Commands' });
  await palette.getByRole('combobox').waitFor();
  await page.keyboard.type('chart revenue');
  await becomes('one command is left', () => palette.getByRole('option').allInnerTexts().then((all) => all.map((text) => text.replace(/\s+/g, ' '))), ['Chart Revenue']);
  await page.keyboard.press('Enter');
  await palette.waitFor({ state: 'detached' });
  await page.getByRole('heading', { name: /^Revenue per/ }).waitFor();
  await settled(page);
  ensure(/[€$]/.test(await card(page, 'total_revenue').textContent()), 'revenue');

  // The sheet of shortcuts turns them off.
  await page.keyboard.press('?');
  const sheet = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await sheet.getByLabel('Single keys are shortcuts on this device').press('Space');
  await page.keyboard.press('Escape');
  await sheet.waitFor({ state: 'detached' });
  const before = page.url();
  await page.keyboard.press('w');
  await page.keyboard.press('Control+k');
  await palette.waitFor();
  ensure(page.url() === before, 'a key does something although shortcuts are off');
  await page.keyboard.type('keyboard');
  await page.keyboard.press('Enter');
  await sheet.getByLabel('Single keys are shortcuts on this device').press('Space');
  await page.keyboard.press('Escape');
  await sheet.waitFor({ state: 'detached' });
  await page.keyboard.press('w');
  await page.waitForURL((url) => url.searchParams.get('period') === '7d');

  // The menu, its way out, and the focus back on its button.
  await page.getByRole('button', { name: 'More', exact: true }).press('Enter');
  await page.getByRole('group', { name: 'More' }).waitFor();
  await page.keyboard.press('Escape');
  ensure((await focused(page)).name === 'More', 'Escape leads back to the button');

  // The skip link leads to the figures.
  await page.getByRole('link', { name: 'Skip to the content' }).press('Enter');
  ensure((await page.evaluate(() => document.activeElement.id)) === 'content', 'the skip link leads to the content');
});
