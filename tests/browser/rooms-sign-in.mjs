// Signing in and out: the key becomes a cookie that scripts cannot read, and is kept nowhere.
import { audit } from './axe.mjs';
import { browse, ensure } from './browser.mjs';
import { capture } from './capture.mjs';
import { ask, sees } from './rooms.mjs';

const { QUERY, KEY, SITE, ADMIN, KEY_ID } = process.env;

/** Everything that page scripts could read. */
const readable = (page) =>
  page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state, document.documentElement.outerHTML]));

await browse(
  async (page) => {
    const asked = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    // An earlier version kept keys: they are taken away.
    await page.addInitScript(() => {
      if (!sessionStorage.getItem('seen')) localStorage.setItem('weir.key', 'weir_of_an_earlier_version');
      sessionStorage.setItem('seen', 'yes');
    });
    await page.goto(`${QUERY}/?site=${SITE}&period=day`);
    /** The main view is there. */
    const figures = () => page.getByRole('heading', { level: 1, name: SITE }).and(page.locator('header *')).waitFor({ state: 'attached' });
    const field = page.getByLabel('API key', { exact: true });
    await field.waitFor();
    ensure(!asked.some((path) => path.startsWith('/api/')), `a page that nobody signed in to asks: ${asked}`);
    ensure(!(await readable(page)).includes('weir_of_an_earlier_version'), 'the earlier key is still there');
    await audit(page, 'sign-in');
    await capture(page, 'sign-in');

    await page.getByRole('button', { name: 'Sign in' }).click();
    await sees(page, 'Paste a key first.');
    await field.fill('weir_nonsense');
    await page.keyboard.press('Enter');
    await sees(page, 'This key was not accepted');
    ensure(await field.evaluate((input) => input === document.activeElement), 'the field has the focus again');
    ensure((await page.context().cookies()).length === 0, 'a refused key leaves no cookie');

    await field.fill(KEY);
    await page.keyboard.press('Enter');
    await figures();
    ensure(new URL(page.url()).search === `?site=${SITE}&period=day`, `the address is kept: ${page.url()}`);
    const [cookie, ...others] = await page.context().cookies();
    ensure(others.length === 0 && cookie.httpOnly && cookie.sameSite === 'Strict', `the cookie is a session's: ${JSON.stringify(cookie)}`);
    ensure(!cookie.value.includes(KEY), 'the cookie does not hold the key');
    ensure(!(await readable(page)).includes(KEY), 'the key is readable by scripts');

    // The session outlasts the page, and reaches every room.
    await page.reload();
    await figures();
    await page.goto(`${QUERY}/settings?site=foreign.example`);
    await sees(page, 'Your key does not read foreign.example');

    await page.getByRole('button', { name: 'Sign out' }).click();
    await field.waitFor();
    ensure((await page.context().cookies()).length === 0, 'the cookie is gone');
    await page.reload();
    await field.waitFor();

    // A session ends with its key, and the page says so.
    await field.fill(KEY);
    await page.keyboard.press('Enter');
    await sees(page, 'Your key does not read foreign.example');
    const revoked = await ask(ADMIN, 'DELETE', `/api/sites/${SITE}/keys/${KEY_ID}`);
    ensure(revoked.status === 200, `revoking the key: ${revoked.status}`);
    await page.goto(`${QUERY}/sites`);
    await sees(page, 'Your session is over. Sign in again.');
  },
  { expected: [/\b401\b.*\/api\//] },
);
