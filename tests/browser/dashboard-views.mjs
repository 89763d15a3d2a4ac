// Every view of the page: axe has nothing to say against it in either appearance, and its pictures are taken on a desk and on a phone.
import { audit } from './axe.mjs';
import { capture } from './capture.mjs';
import { ensure } from './browser.mjs';
import { open, panel, read, settled } from './view.mjs';

const { QUERY, SITE, NEW_SITE } = process.env;
const dialog = (page, name) => page.getByRole('dialog', { name }).waitFor();
const press = (key, name) => async (page) => {
  await page.keyboard.press(key);
  await dialog(page, name);
};

/** Answers of the API, changed on their way. */
const changing = (change) => async (page) => {
  await page.route('**/api/v2/queries*', async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    for (const answer of body.answers) change(answer);
    await route.fulfill({ response, json: body });
  });
};

/** Name, address, what makes the view out of the page, what is done to the answers before. */
const VIEWS = [
  ['overview', '&period=28d'],
  ['compared', '&period=28d&comparison=previous_period'],
  ['today', '&period=day'],
  ['realtime', '&period=realtime'],
  ['year', '&period=12mo&comparison=year_over_year'],
  ['filtered', '&period=28d&f=is,source,Google&f=is_not,browser,Safari&match=any&technology=os'],
  ['goal', '&period=28d&f=is,goal,Purchase&metric=conversion_rate'],
  ['revenue', '&period=28d&metric=total_revenue&shop=revenue-sources&behaviour=properties&property=product'],
  ['table', '&period=28d&view=table&comparison=previous_period&locations=countries&sources=utm_campaign'],
  ['details', '&period=28d&details=pages&comparison=previous_period', (page) => dialog(page, 'Pages: Top')],
  ['ledger', '&period=28d', async (page) => {
    await page.getByRole('button', { name: /^Complete to/ }).click();
    await page.getByText('It adds up.').waitFor();
  }],
  ['api-call', '&period=28d', async (page) => {
    await panel(page, 'pages').getByRole('button', { name: 'API call behind Top' }).click();
    await dialog(page, 'Pages: Top: the API call');
  }],
  ['filter', '&period=28d', async (page) => {
    await press('/', 'Add a filter')(page);
    await page.getByText('Often:').waitFor();
  }],
  ['palette', '&period=28d', press('Control+k', 'Commands')],
  ['shortcuts', '&period=28d', press('?', 'Keyboard shortcuts')],
  ['period', '&period=28d&comparison=previous_period', async (page) => {
    await page.keyboard.press('c');
    await page.getByRole('group', { name: 'Period and comparison' }).waitFor();
  }],
  ['menu', '&period=28d', (page) => page.getByRole('button', { name: 'More', exact: true }).click()],
  ['nothing', '&period=day&date=2020-01-01', (page) => page.getByText('No visits in this period').waitFor()],
  ['partial', '&period=28d', (page) => page.getByText('Without eu-central').waitFor(), changing((answer) => { if (answer.meta) answer.meta.regions_missing = ['eu-central']; })],
  ['refused-parts', '&period=28d', (page) => page.getByText('These figures cannot be shown.').first().waitFor(), changing((answer) => {
    if (answer.query?.dimensions[0] !== 'event:page') return;
    for (const key of Object.keys(answer)) delete answer[key];
    Object.assign(answer, { error: 'The query took too long. Please ask for a shorter date range or fewer dimensions.', code: 'query_timeout', status: 400 });
  })],
];

await read(async (page) => {
  for (const [name, search, make = async () => {}, before = async () => {}] of VIEWS) {
    await before(page);
    await open(page, search);
    // What is asked only when it is seen belongs to the picture too.
    const vitals = panel(page, 'vitals');
    await vitals.scrollIntoViewIfNeeded();
    await vitals.locator('.vital, .empty').first().waitFor();
    await page.evaluate(() => scrollTo(0, 0));
    await make(page);
    await settled(page);
    await audit(page, `dashboard-${name}`);
    await page.emulateMedia({ colorScheme: 'dark' });
    await audit(page, `dashboard-${name}-dark`);
    // What lies above the page is a picture of the screen.
    await capture(page, `dashboard-${name}`, undefined, (await page.locator('dialog[open], .sheet').count()) === 0);
    await page.unrouteAll({ behavior: 'wait' });
  }
});

// A site that nothing arrived from.
await read(async (page) => {
  await page.goto(`${QUERY}/?site=${NEW_SITE}`);
  await page.getByText('Waiting for the first event').waitFor();
  await audit(page, 'dashboard-first-event');
  await capture(page, 'dashboard-first-event');
});

// Before anything has arrived, and when nothing does.
await read(async (page) => {
  await page.route('**/api/v2/queries*', () => {});
  await page.goto(`${QUERY}/?site=${SITE}`);
  await page.locator('.card-value.skeleton').first().waitFor();
  await audit(page, 'dashboard-loading');
  await capture(page, 'dashboard-loading');
});
await read(async (page) => {
  await page.route('**/api/v2/queries*', (route) => route.fulfill({ status: 503, json: { error: 'The query cannot be answered at the moment. Please try again.', code: 'unavailable' } }));
  await page.goto(`${QUERY}/?site=${SITE}`);
  await page.getByText('These figures could not be loaded.').waitFor();
  await audit(page, 'dashboard-unavailable');
  await capture(page, 'dashboard-unavailable');
  // Trying again is one click.
  await page.unroute('**/api/v2/queries*');
  await page.getByRole('button', { name: 'Try again' }).click();
  await settled(page);
  await panel(page, 'pages').locator('tbody tr').first().waitFor();
}, { expected: [/503/] });

// From right to left, in the reader's own writing, without motion.
await read(async (page) => {
  await page.addInitScript(() => {
    const turn = () => {
      document.documentElement.dir = 'rtl';
    };
    if (document.documentElement) turn();
    else document.addEventListener('readystatechange', turn, { once: true });
  });
  await open(page, '&period=28d&comparison=previous_period&f=is_not,browser,Firefox');
  await page.evaluate(() => {
    document.documentElement.dir = 'rtl';
  });
  const arabic = new Intl.NumberFormat('ar-EG').format(8);
  ensure(/[٠-٩]/.test(await page.locator('.card-value').first().textContent()), `figures in the reader's digits, such as ${arabic}`);
  const [bar, label] = await Promise.all([panel(page, 'pages').locator('.row-bar').first().boundingBox(), panel(page, 'pages').locator('.row-text').first().boundingBox()]);
  ensure(bar.x + bar.width >= label.x + label.width - 1, 'bars begin at the right');
  const moving = await page.evaluate(() => document.getAnimations().filter((one) => one.playState === 'running').length);
  ensure(moving === 0, `${moving} animations run although the reader wants none`);
  await audit(page, 'dashboard-rtl');
  await capture(page, 'dashboard-rtl');
}, { context: { locale: 'ar-EG', reducedMotion: 'reduce' } });
