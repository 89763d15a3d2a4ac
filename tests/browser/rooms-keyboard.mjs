// Hands on the keyboard alone: in, to the settings, a goal, a question, and out again.
import { browse, ensure } from './browser.mjs';
import { becomes, get, sees } from './rooms.mjs';

const { QUERY, OWNER, SITE } = process.env;

await browse(async (page) => {
  /** Goes on with the tabulator until the element of this name has the focus, which must be seen. */
  const tabTo = async (name, role) => {
    for (let step = 0; step < 80; step += 1) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const one = document.activeElement;
        const label = one?.labels?.[0]?.innerText ?? '';
        const style = one ? getComputedStyle(one) : null;
        const after = one ? getComputedStyle(one, '::after') : null;
        const around = one?.closest('.gate-field') ? getComputedStyle(one.closest('.gate-field')) : null;
        const seen = [style, after, around].some((rule) => rule && rule.outlineStyle !== 'none' && parseFloat(rule.outlineWidth) >= 1);
        return { text: `${one?.innerText ?? ''} ${label} ${one?.getAttribute('aria-label') ?? ''}`.replace(/\s+/g, ' ').trim(), tag: one?.tagName.toLowerCase(), seen };
      });
      if (at.text.includes(name) && (!role || at.tag === role)) {
        ensure(at.seen, `the focus on ${name} cannot be seen`);
        return;
      }
    }
    throw new Error(`the tabulator does not reach ${name}`);
  };

  await page.goto(`${QUERY}/sites`);
  await tabTo('API key', 'input');
  await page.keyboard.type(OWNER);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  await tabTo(`Settings of ${SITE}`, 'a');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: SITE }).waitFor();
  await tabTo('Goals', 'a');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Add a goal' }).waitFor();
  await tabTo('Add a goal', 'button');
  await page.keyboard.press('Enter');
  await tabTo('Event', 'input');
  await page.keyboard.type('Keyboard');
  await page.keyboard.press('Enter');
  await sees(page, 'Event Keyboard');
  await becomes('goals', async () => (await get(OWNER, `/api/v1/sites/goals?site_id=${SITE}`)).goals.map((goal) => goal.display_name).includes('Keyboard'), true);

  // A question keeps the focus inside, Escape takes it back to where it was.
  await tabTo('General', 'a').catch(async () => {
    await page.keyboard.press('Control+Home');
    await tabTo('General', 'a');
  });
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: /^Remove / }).waitFor();
  await tabTo(`Remove ${SITE}`, 'button');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  for (let step = 0; step < 6; step += 1) {
    await page.keyboard.press('Tab');
    const inside = await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest('dialog') !== null);
    ensure(inside, 'the focus leaves the dialog');
  }
  const grave = page.getByRole('button', { name: 'Remove the site' });
  ensure(await grave.isDisabled(), 'nothing is removed before its name is typed');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  const back = await page.evaluate(() => document.activeElement?.textContent ?? '');
  ensure(back.includes(`Remove ${SITE}`), `the focus is where it was: ${back}`);
  ensure((await get(OWNER, '/api/sites')).some((site) => site.domain === SITE), 'the site is still there');

  // Out again, from the top of the page.
  await page.goto(`${QUERY}/sites`);
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
  await tabTo('Skip to the content', 'a');
  await page.keyboard.press('Enter');
  ensure(await page.evaluate(() => document.activeElement?.id === 'content'), 'the skip link leads to the content');
  await page.keyboard.press('Shift+Tab');
  const out = await page.evaluate(() => document.activeElement?.textContent);
  ensure(out?.includes('Sign out'), `before the content is the way out: ${out}`);
  await page.keyboard.press('Enter');
  await page.getByLabel('API key', { exact: true }).waitFor();
});
