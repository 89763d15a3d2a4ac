// Pictures of a view: light and dark, on a desk and on a phone.
const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

/** Takes the four pictures, of what lies below the screen's end too; on no screen is the page wider than it. Leaves the page light and on a desk. */
export async function capture(page, name, settle = async () => {}, fullPage = true) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await settle();
      // What measures itself, as a chart does, follows a moment after the window.
      const overflow = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;
      await page.waitForFunction(`(${overflow})() <= 0`).catch(async () => {
        throw new Error(`${name}: the page is ${await page.evaluate(overflow)} px wider than a ${size}`);
      });
      await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-${colorScheme}-${size}.png`, fullPage, animations: 'disabled' });
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(SIZES.desktop);
}
