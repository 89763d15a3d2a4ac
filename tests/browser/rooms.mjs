// What the tests of the rooms share: signing in, asking the API, waiting for a text.
import { ensure } from './browser.mjs';

const { QUERY } = process.env;

/** Signs in by the form that stands in the way of any room. */
export async function signIn(page, key, path = '/sites') {
  await page.goto(`${QUERY}${path}`);
  await page.getByLabel('API key', { exact: true }).fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

/** Asks the API as a program would; the answer's status and JSON. */
export async function ask(key, method, path, body) {
  const response = await fetch(`${QUERY}${path}`, {
    method,
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
}

/** The JSON of a good answer. */
export async function get(key, path) {
  const { status, body } = await ask(key, 'GET', path);
  ensure(status === 200, `${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** Waits until what `look` finds is this, as JSON. */
export async function becomes(what, look, wanted) {
  const deadline = Date.now() + 60_000;
  const text = JSON.stringify(wanted);
  for (;;) {
    const found = JSON.stringify(await look());
    if (found === text) return;
    if (Date.now() > deadline) throw new Error(`${what}: ${found} and not ${text}`);
    await new Promise((soon) => setTimeout(soon, 100));
  }
}

/** The text of the page. */
export const textOf = (page) => page.evaluate(() => document.body.innerText);

/** Waits until an element of this text is seen; else says what is. */
export async function sees(page, text) {
  await page.getByText(text).first().waitFor().catch(async () => {
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/rooms-failed.png`, fullPage: true });
    throw new Error(`the page does not show ${text}, but: ${await textOf(page)}`);
  });
}
