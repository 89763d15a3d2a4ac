// Asks axe-core about a page, light and dark; keeps what it says and fails on any violation.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Audits the page as it is now; the whole output is kept as `axe/<name>-<theme>.json` beside the screenshots. Leaves the page light. */
export async function audit(page, name) {
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // Evaluated by the debugger: the page's policy forbids scripts that are not its own.
    await page.evaluate(source);
    const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations', 'incomplete'] }));
    const folder = join(process.env.SCREENSHOTS, 'axe');
    mkdirSync(folder, { recursive: true });
    const kept = { url: found.url, violations: found.violations, incomplete: found.incomplete, passes: found.passes.length };
    writeFileSync(join(folder, `${name}-${colorScheme}.json`), JSON.stringify(kept, null, 1));
    if (found.violations.length > 0) {
      const nodes = (list) => list.map((node) => `  ${node.target}: ${node.failureSummary}`).join('\n');
      const lines = found.violations.map((one) => `${one.id}: ${one.help}\n${nodes(one.nodes)}`);
      throw new Error(`axe on ${name}, ${colorScheme}:\n${lines.join('\n')}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: null });
}
