import { describe, expect, it } from 'vitest';
import { excluded, names } from '../src/exclusions';

describe('patterns', () => {
  const check = (patterns: string, page: string, expected: boolean) =>
    it(`${patterns} ${expected ? 'names' : 'does not name'} ${page}`, () => expect(names(patterns, page)).toBe(expected));
  check('/blog', '/blog', true);
  check('/blog', '/blog/', true);
  check('/blog', '/blog/a', false);
  check('/blog', '/a/blog', false);
  check('/blog/*', '/blog/a', true);
  check('/blog/*', '/blog/a/b', false);
  check('/blog/**', '/blog/a/b', true);
  check('/*/edit', '/posts/edit', true);
  check('/*/edit', '/posts/1/edit', false);
  check('/**/edit', '/posts/1/edit', true);
  check('/a.b', '/axb', false);
  check('/a+(b)', '/a+(b)', true);
  check('/a, /b ,/c*', '/b', true);
  check('/a, /b ,/c*', '/cc', true);
  check('/app#/*', '/app#/one', true);
});

it('include and exclude', () => {
  expect(excluded(undefined, undefined, '/a')).toBeFalsy();
  expect(excluded('/a', undefined, '/a')).toBeFalsy();
  expect(excluded('/a', undefined, '/b')).toBe('exclusion');
  expect(excluded('/**', '/a', '/a')).toBe('exclusion');
  expect(excluded(undefined, '/a', '/b')).toBeFalsy();
});
