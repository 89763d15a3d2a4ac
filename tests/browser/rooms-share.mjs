// A shared link: behind its password, for reading only, and inside a page of another site.
import { createServer } from 'node:http';
import { audit } from './axe.mjs';
import { browse, ensure, listen } from './browser.mjs';
import { capture } from './capture.mjs';
import { sees, signIn } from './rooms.mjs';

const { QUERY, OWNER, SITE, VISITORS } = process.env;
const PASSWORD = 'open, please';

/** The figures of the site are there. */
async function showsFigures(view, what) {
  const card = view.locator('.card').filter({ hasText: /^\s*Visitors/i }).first();
  await card.getByText(VISITORS, { exact: true }).first().waitFor().catch(async () => {
    throw new Error(`${what}: no ${VISITORS} visitors, but ${await view.locator('body').innerText()}`);
  });
}

await browse(
  async (page) => {
    await signIn(page, OWNER, `/settings?site=${SITE}&part=links`);
    const make = async (name, password) => {
      await page.getByLabel('Name of the new link').fill(name);
      if (password) await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Make the link' }).click();
      const card = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name }) });
      return (await card.locator('pre code').first().textContent()).trim();
    };
    const [behind, open] = [await make('For the agency', PASSWORD), await make('For everybody', null)];
    ensure(behind.startsWith(`${QUERY}/share/${SITE}?auth=`), `the link leads here: ${behind}`);
    await sees(page, 'with password');
    await audit(page, 'settings-links');
    await capture(page, 'settings-links');

    // Somebody else's browser.
    const complaints = [];
    const context = await page.context().browser().newContext();
    const guest = await context.newPage();
    listen(guest, complaints, [/\b401\b.*\/api\/share\//, /\b401\b.*\/api\/sites$/]);
    await guest.goto(`${behind}&period=day`);
    const field = guest.getByLabel('Password');
    await field.fill('let me in');
    await guest.keyboard.press('Enter');
    await sees(guest, 'This is not the password.');
    await audit(guest, 'share-password');
    await capture(guest, 'share-password');
    await field.fill(PASSWORD);
    await guest.keyboard.press('Enter');
    await showsFigures(guest, 'behind the password');
    ensure(!guest.url().includes('open'), 'the password is not in the address');
    await audit(guest, 'share');
    await capture(guest, 'share');
    // The link's session lasts, its slug stays in the address through a change of state, and it reads only.
    await guest.reload();
    await showsFigures(guest, 'after a reload');
    ensure(new URL(guest.url()).searchParams.get('auth') === new URL(behind).searchParams.get('auth'), `the slug is kept: ${guest.url()}`);
    ensure((await guest.getByRole('button', { name: 'Sign out' }).count()) === 0, 'nobody signed in');
    ensure((await guest.locator('a[href^="/settings"]').count()) === 0, 'a guest sees no settings');
    const refused = await guest.evaluate(async (site) => (await fetch(`/api/sites/${site}/settings`)).status, SITE).catch(String);
    ensure(refused === 403 || refused === 401, `settings are not a guest's: ${refused}`);

    // Inside a page of another site, where no cookie of ours is sent; and nothing else is framed.
    const outside = createServer((request, response) => {
      const address = request.url === '/figures' ? `${open}&embed=true&period=day` : `${QUERY}/sites`;
      response.setHeader('content-type', 'text/html').end(`<!doctype html><title>Elsewhere</title><link rel="icon" href="data:,"><iframe src="${address.replaceAll('&', '&amp;')}" width="1200" height="900"></iframe>`);
    });
    await new Promise((ready) => outside.listen(0, 'localhost', ready));
    const elsewhere = `http://localhost:${outside.address().port}`;
    try {
      await guest.goto(`${elsewhere}/figures`);
      await showsFigures(guest.frameLocator('iframe'), 'embedded');
      ensure((await context.cookies()).every((cookie) => cookie.sameSite === 'Strict'), 'an embedded view gets no cookie of its own');
      await guest.screenshot({ path: `${process.env.SCREENSHOTS}/share-embedded.png` });
      const blocked = guest.waitForEvent('console', (message) => /frame-ancestors/.test(message.text()));
      await guest.goto(`${elsewhere}/other`);
      await blocked;
    } finally {
      outside.close();
    }
    // Taken back, it opens nothing.
    await page.getByRole('button', { name: 'Take back For everybody' }).click();
    await page.getByRole('button', { name: 'Take the link back' }).click();
    await sees(page, 'For everybody opens nothing any more.');
    const late = await context.newPage();
    await late.goto(open);
    await sees(late, 'This link does not open anything');
    await audit(late, 'share-unknown');
    await capture(late, 'share-unknown');
    const wrong = complaints.filter((text) => !/frame-ancestors|chrome-error|403 for|401 for|ERR_BLOCKED_BY_RESPONSE|status of 40[13]/.test(text));
    ensure(wrong.length === 0, wrong.join('\n'));
  },
);
