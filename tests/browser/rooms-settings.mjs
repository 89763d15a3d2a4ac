// Every part of a site's settings changes what the API then says.
import { audit } from './axe.mjs';
import { browse, ensure } from './browser.mjs';
import { capture } from './capture.mjs';
import { ask, becomes, get, sees, signIn } from './rooms.mjs';

const { OWNER, READER, SITE } = process.env;
const settings = `/api/sites/${SITE}/settings`;
const names = async (path, list, name) => (await get(OWNER, `${path}?site_id=${SITE}`))[list].map((one) => one[name]);

await browse(
  async (page) => {
    await signIn(page, OWNER, `/settings?site=${SITE}&part=general`);
    const part = (name) => page.getByRole('navigation', { name: 'Parts of the settings' }).getByRole('link', { name }).click();
    const button = (name) => page.getByRole('button', { name, exact: true });

    // Time zone.
    await page.getByRole('combobox', { name: 'Time zone' }).selectOption('America/New_York');
    await button('Save time zone').click();
    await sees(page, 'Saved.');
    await becomes('zone', async () => (await get(OWNER, settings)).timezone, 'America/New_York');
    await audit(page, 'settings-general');
    await capture(page, 'settings-general');

    // Goals: of each kind, and none that says too little.
    await part('Goals');
    await button('Add a goal').click();
    await button('Add the goal').click();
    await sees(page, 'Name the event.');
    await page.getByLabel('Event', { exact: true }).fill('Purchase');
    await page.getByLabel('Currency').fill('eur');
    await button('Add the goal').click();
    await sees(page, 'revenue in EUR');
    await button('Add a goal').click();
    await page.getByLabel('A page read').check();
    await page.getByLabel('Path').fill('/blog/*');
    await button('Add the goal').click();
    await sees(page, '75 % of /blog/* read');
    await becomes('goals', () => names('/api/v1/sites/goals', 'goals', 'goal_type'), ['scroll', 'event']);
    await audit(page, 'settings-goals');
    await capture(page, 'settings-goals');
    await button('Remove Purchase').click();
    await sees(page, 'Purchase is no goal any more.');
    await becomes('goals', () => names('/api/v1/sites/goals', 'goals', 'goal_type'), ['scroll']);

    // Properties.
    await part('Properties');
    await page.getByLabel('Add a property').fill('author');
    await page.keyboard.press('Enter');
    await sees(page, 'author is shown among the properties.');
    await becomes('properties', () => names('/api/v1/sites/custom-props', 'custom_properties', 'property'), ['author']);
    await audit(page, 'settings-properties');
    await button('Remove author').click();
    await becomes('properties', () => names('/api/v1/sites/custom-props', 'custom_properties', 'property'), []);

    // Shields: the server's own words where it refuses.
    await part('Shields');
    const shields = async () => (await get(OWNER, settings)).shields;
    await page.getByLabel('Add to countries').fill('x1');
    await page.keyboard.press('Enter');
    await sees(page, /shields\.countries/);
    await page.getByLabel('Add to countries').fill('de');
    await page.keyboard.press('Enter');
    await button('Remove DE').waitFor();
    await page.getByLabel('Add to addresses').fill('203.0.113.0/24');
    await page.keyboard.press('Enter');
    await button('Remove 203.0.113.0/24').waitFor();
    await becomes('shields', shields, { addresses: ['203.0.113.0/24'], countries: ['DE'], pages: [], hostnames: [] });
    await audit(page, 'settings-shields');
    await capture(page, 'settings-shields');
    await button('Remove DE').click();
    await becomes('shields', shields, { addresses: ['203.0.113.0/24'], countries: [], pages: [], hostnames: [] });

    // Segments are made beside the figures, and end here.
    const segment = { site_id: SITE, name: 'From Google', type: 'site', filters: [['is', 'visit:source', ['Google']]] };
    ensure((await ask(OWNER, 'POST', '/api/segments', segment)).status === 200, 'a segment is saved');
    await part('Segments');
    await sees(page, 'source is Google');
    await audit(page, 'settings-segments');
    await button('Delete From Google').click();
    await becomes('segments', () => get(OWNER, `/api/segments?site_id=${SITE}`), []);

    // A key: shown once, good for what it was made for, and revoked.
    await part('Keys');
    await button('Make the key').click();
    const key = (await page.locator('pre code').textContent()).trim();
    ensure((await ask(key, 'GET', '/api/sites')).body[0]?.domain === SITE, 'the new key reads the site');
    await button('I have it').click();
    ensure(!(await page.content()).includes(key), 'the key is not shown again');
    const { body: mine } = await ask(key, 'GET', '/api/session');
    await audit(page, 'settings-keys');
    await capture(page, 'settings-keys');
    await button(`Revoke ${mine.id}`).click();
    await button('Revoke the key').click();
    await sees(page, `Key ${mine.id} is revoked`);
    await becomes('the key', async () => (await ask(key, 'GET', '/api/sites')).status, 401);
    await button('Sign out').click();

    // Who may only read sees no way to change anything.
    await signIn(page, READER, `/settings?site=${SITE}&part=goals`);
    await sees(page, 'Your key may read this and not change it.');
    ensure((await button('Add a goal').count()) === 0, 'a reader adds no goal');
    for (const [name, words] of [['Shields', 'may not see what is left out'], ['Keys', 'may not see or make others'], ['Shared links', 'may not see or make links']]) {
      await part(name);
      await sees(page, new RegExp(words));
    }
    ensure((await page.getByRole('button', { name: /Make|Remove|Add/ }).count()) === 0, 'a reader changes nothing');
  },
  { expected: [/\b400\b.*\/settings$/] },
);
