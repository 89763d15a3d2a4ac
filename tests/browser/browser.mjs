// Starts the Chromium that CHROMIUM names and fails the script on anything that a page complains about.
import { chromium } from 'playwright-core';

/** An ordinary browser's name: that of headless Chromium is a bot's. */
const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36';

/**
 * Runs `work(page)` in a fresh browser; then throws if the page had an error or the console one.
 * @param {(page: import('playwright-core').Page) => Promise<void>} work
 * @param {{ expected?: RegExp[] }} options complaints that belong to what is tested, such as a refused password
 * @param {{ context?: import('playwright-core').BrowserContextOptions }} options what is special about the reader's browser
 */
export async function browse(work, { expected = [], context: own = {} } = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    // The sandbox needs rights that root in a container does not have.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
  const complaints = [];
  try {
    const context = await browser.newContext({ userAgent: USER_AGENT, viewport: { width: 1280, height: 900 }, ...own });
    const page = await context.newPage();
    listen(page, complaints, expected);
    await work(page);
  } catch (error) {
    if (complaints.length) console.error(complaints.join('\n'));
    throw error;
  } finally {
    await browser.close();
  }
  if (complaints.length) throw new Error(complaints.join('\n'));
}

/** Gathers what a page complains about, but for what is expected. */
export function listen(page, complaints, expected = []) {
  page.setDefaultTimeout(60_000);
  const complain = (text) => {
    if (!expected.some((one) => one.test(text))) complaints.push(text);
  };
  page.on('pageerror', (error) => complain(`page error: ${error}`));
  page.on('console', (message) => {
    const text = `console ${message.type()}: ${message.text()} ${message.location().url}`;
    if (['error', 'warning'].includes(message.type())) complain(text);
  });
  page.on('requestfailed', (request) => {
    // Whoever goes on before an answer is there takes his question back.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') complain(`request failed: ${request.url()} ${request.failure()?.errorText}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) complain(`${response.status()} for ${response.url()}`);
  });
}

/** Throws unless the condition holds. */
export function ensure(condition, text) {
  if (!condition) throw new Error(text);
}
