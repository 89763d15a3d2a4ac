/** The scripts as they are served: sizes, and every combination of extensions. Made by `npm run build`. */
import { readFileSync } from 'node:fs';
import { Script } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { assemble, EXTENSIONS } from '../build/pieces.mjs';

const CORE_BYTES_MAX = 1500;
const ALL_BYTES_MAX = 2700;
const VITALS_BYTES_MAX = 4000;

const pieces = JSON.parse(readFileSync(new URL('../dist/pieces.json', import.meta.url), 'utf8')) as Record<string, string>;
const zipped = (code: string) => gzipSync(code, { level: 9 }).length;
const script = (extensions: string[]): string => assemble(pieces, extensions);

describe('gzip sizes', () => {
  const check = (what: string, code: string, most: number) =>
    it(`${what} ≤ ${most} B`, () => expect(zipped(code)).toBeLessThanOrEqual(most));
  check('core', script([]), CORE_BYTES_MAX);
  check('all extensions', script(EXTENSIONS), ALL_BYTES_MAX);
  check('per-site script', `{let W={"domain":"shop.example"};${pieces.site}}`, ALL_BYTES_MAX);
  check('web vitals', pieces.vitals as string, VITALS_BYTES_MAX);
});

it('every combination of extensions is a script, and none is larger than allowed', () => {
  const problems: string[] = [];
  for (let set = 0; set < 1 << EXTENSIONS.length; set++) {
    const extensions = (EXTENSIONS as string[]).filter((_, bit) => set & (1 << bit));
    const code = script(extensions);
    try {
      new Script(code);
    } catch (error) {
      problems.push(`${extensions}: ${error}`);
    }
    // Compressing all of them takes long: a sample, spread by a prime.
    if (set % 61 === 0 && zipped(code) > ALL_BYTES_MAX) problems.push(`${extensions}: ${zipped(code)} B`);
  }
  expect(problems).toEqual([]);
}, 60_000);

it('nothing that a strict Content-Security-Policy forbids, and no cookie', () => {
  for (const code of Object.values(pieces)) {
    expect(code).not.toMatch(/\beval\b|new Function|Function\(|\.cookie|innerHTML|document\.write|\.style\b|setAttribute\(.style/);
  }
});
