// The operator: sees how the system is, what was refused, and makes history anew from plan to rollback.
import { readFileSync } from 'node:fs';
import { audit } from './axe.mjs';
import { browse, ensure } from './browser.mjs';
import { capture } from './capture.mjs';
import { ask, becomes, get, sees, signIn } from './rooms.mjs';

const { QUERY, COLLECTOR, ADMIN, OWNER, SITE, RULES } = process.env;
const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36';

await browse(async (page) => {
  // Not for everybody: neither the room nor its routes.
  await signIn(page, OWNER, '/operator');
  await sees(page, "This is the operator's");
  ensure((await page.getByRole('link', { name: 'Operations' }).count()) === 0, 'an owner is not led to operations');
  ensure((await ask(OWNER, 'GET', '/api/operator/overview')).status === 401, 'an owner reads no overview');
  await page.getByRole('button', { name: 'Sign out' }).click();

  // How it is: as the API says.
  await signIn(page, ADMIN, '/operator');
  await sees(page, /live; answers are/);
  const { regions } = await get(ADMIN, '/api/operator/overview');
  for (const one of regions.flatMap((region) => region.partitions)) {
    const card = page.getByRole('article', { name: `Partition ${one.partition}` });
    for (const text of [one.sealed_seq, one.last_seq]) await card.getByText(text.toLocaleString('en-US'), { exact: true }).first().waitFor();
    const row = card.getByRole('row', { name: /^All/ });
    await row.getByText(one.parts.rows.toLocaleString('en-US'), { exact: true }).first().waitFor();
  }
  await audit(page, 'operator-overview');
  await capture(page, 'operator-overview');

  // What was refused: named as a person would, with what is wrong and how it begins.
  const refused = await fetch(`${COLLECTOR}/api/event`, { method: 'POST', headers: { 'User-Agent': USER_AGENT }, body: JSON.stringify({ n: 'without an address', d: SITE }) });
  ensure(refused.status === 400, `a bad event is refused: ${refused.status}`);
  const part = (name) => page.getByRole('navigation', { name: 'Parts of operations' }).getByRole('link', { name }).click();
  await part('Refused events');
  await sees(page, 'url is required');
  await sees(page, /without an address/);
  await audit(page, 'operator-rejected');
  await capture(page, 'operator-rejected');

  // Replay.
  await part('Replay');
  const button = (name) => page.getByRole('button', { name, exact: true });
  const phase = async (wanted) => {
    const { status } = await get(ADMIN, '/api/operator/replay');
    ensure((status?.phase ?? null) === wanted, `the replay is ${wanted}: ${JSON.stringify(status)}`);
  };
  /** Visits of today by channel. */
  const channels = async (rev = '') => {
    const { body } = await ask(ADMIN, 'POST', `/api/v2/query${rev}`, { site_id: SITE, metrics: ['visits'], date_range: 'day', dimensions: ['visit:channel'], order_by: [['visit:channel', 'asc']] });
    return body.results.map((row) => [row.dimensions[0], row.metrics[0]]);
  };
  const [former, corrected] = [[['Direct', 1], ['Referral', 2]], [['Direct', 1], ['Email', 2]]];
  await becomes('before', channels, former);
  await page.getByLabel('a message on').check();
  await page.getByLabel('Number in the stream').fill('0');
  await button('Plan').click();
  await sees(page, 'A message has a whole number from 1 on.');
  await page.getByLabel('Number in the stream').fill('1');
  await page.getByLabel('of these files').check();
  await button('Plan').click();
  await sees(page, 'Change a rule first, or choose its file.');
  await page.getByLabel('Files of a rules folder').setInputFiles(RULES);
  await button('Plan').click();
  await sees(page, /would be folded anew/);
  // The same rule, changed in the page.
  await page.getByLabel('changed here').check();
  await page.getByLabel('File', { exact: true }).selectOption('channels.toml');
  const text = page.getByLabel('Text of channels.toml');
  const original = await text.inputValue();
  await text.fill(readFileSync(RULES, 'utf8'));
  await sees(page, 'Changed for the replay that is planned here.');
  ensure((await text.inputValue()).length > original.length, 'the text is the longer one');
  await button('Seal what was received').and(page.locator(':enabled')).click();
  await sees(page, 'Everything received so far is in files.');
  await button('Plan').and(page.locator(':enabled')).click();
  await sees(page, /would be folded anew/);
  await audit(page, 'operator-plan');
  await capture(page, 'operator-plan');
  await button('Build').click();
  await button('Compare').and(page.locator(':enabled')).click();
  await sees(page, /2 rows come out otherwise/);
  const row = (name) => page.getByRole('row', { name }).first();
  await row(/^channel Email visits .*0 2 \+2/).waitFor();
  await row(/^channel Referral visits .*2 0 −2/).waitFor();
  await sees(page, `In all, nothing changes for ${SITE}`);
  // An example: a single page view, with the channel that it has and the one that it would have.
  await page.locator('.sample').filter({ hasText: 'Referral' }).filter({ hasText: 'Email' }).first().waitFor();
  await becomes('aside', () => channels('?rev=shadow'), corrected);
  await becomes('served', channels, former);
  await phase('built');
  await audit(page, 'operator-replay');
  await capture(page, 'operator-replay');
  await button('Serve it…').click();
  await page.getByRole('dialog').getByText('Serve the new history?').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  ensure(await button('Serve it…').evaluate((one) => one === document.activeElement), 'the focus returns from the dialog');
  await phase('built');
  await button('Serve it…').click();
  await button('Serve it').click();
  await button('It is served').waitFor();
  await phase('promoted');
  await becomes('served anew', channels, corrected);
  await button('Go back…').and(page.locator(':enabled')).click();
  await button('Go back').click();
  await button('Plan').and(page.locator(':enabled')).waitFor();
  const { status } = await get(ADMIN, '/api/operator/replay');
  ensure(status === null || ['rolled_back', 'discarded'].includes(status.phase), `the former history is back: ${JSON.stringify(status)}`);
  await becomes('served as before', channels, former);
  ensure(page.url().startsWith(`${QUERY}/operator`), 'still in operations');
});
