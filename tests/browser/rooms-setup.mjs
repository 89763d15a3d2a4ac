// The snippet, and the watch for the first event that it brings.
import { audit } from './axe.mjs';
import { browse, ensure } from './browser.mjs';
import { capture } from './capture.mjs';
import { becomes, get, sees, signIn } from './rooms.mjs';

const { COLLECTOR, ADMIN, NEW_SITE } = process.env;
const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36';

await browse(async (page) => {
  const path = `/api/sites/${NEW_SITE}/settings`;
  await signIn(page, ADMIN, `/settings?site=${NEW_SITE}`);
  await sees(page, 'Waiting for the first event');
  const settings = await get(ADMIN, path);
  const shown = () => page.locator('pre code').first().textContent();
  ensure((await shown()) === settings.snippet, `the snippet is that of the API: ${await shown()}`);
  await page.getByRole('button', { name: 'One classic line' }).click();
  ensure((await shown()) === settings.classic_snippet, `the classic line is that of the API: ${await shown()}`);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  ensure((await page.evaluate(() => navigator.clipboard.readText())) === settings.classic_snippet, 'the line is on the clipboard');
  await audit(page, 'settings-waiting');
  await capture(page, 'settings-waiting');

  // Nobody touches the page: it hears of the event by itself.
  // The edge learns of a new site within seconds; before that it drops, and counts, nothing.
  const visit = () =>
    fetch(`${COLLECTOR}/api/event`, {
      method: 'POST',
      headers: { 'User-Agent': USER_AGENT },
      body: JSON.stringify({ n: 'pageview', d: NEW_SITE, u: `https://${NEW_SITE}/` }),
    });
  await becomes('the event', async () => {
    const answer = await visit();
    return [answer.status, answer.headers.get('x-plausible-dropped')];
  }, [202, null]);
  await sees(page, 'The first event has arrived');
  await sees(page, /1 so far, the latest/);

  // A switch of the script is changed where the script is made.
  await page.getByLabel(/^Web vitals/).check();
  await sees(page, 'Web vitals: measured from now on.');
  await becomes('web vitals', async () => (await get(ADMIN, path)).script.web_vitals, true);
  await page.getByLabel(/^Web vitals/).uncheck();
  await becomes('web vitals', async () => (await get(ADMIN, path)).script.web_vitals, false);
});
