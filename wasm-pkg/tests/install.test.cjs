// The package as somebody installs it: packed, installed into an empty folder, used as ES module, as CommonJS and from TypeScript.
const test = require('node:test');
const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const { cpSync, mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

const repository = path.join(__dirname, '../..');
const folder = mkdtempSync(path.join(tmpdir(), 'weir-install-'));
const run = (program, ...args) => execFileSync(program, args, { cwd: folder, encoding: 'utf8' });

test.before(() => {
  writeFileSync(path.join(folder, 'package.json'), '{"name":"user","private":true,"type":"module"}');
  const packed = JSON.parse(run('npm', 'pack', path.join(repository, 'target/wasm-pkg'), '--json', '--silent'));
  const files = packed[0].files.map((file) => file.path);
  for (const file of ['LICENSE', 'NOTICE', 'README.md', 'package.json', 'weir.js', 'weir.mjs', 'weir.d.ts', 'weir.d.mts', 'weir_bg.wasm', 'THIRD-PARTY.txt']) {
    assert.ok(files.includes(file), `${file} is not in the package: ${files}`);
  }
  run('npm', 'install', '--offline', '--no-audit', '--no-fund', '--silent', `./${packed[0].filename}`);
});

test.after(() => rmSync(folder, { recursive: true }));

const use = `
  if (weir.validate('{}') !== '{"errors":{"event_name":["can\\'t be blank"],"url":["is required"]}}') throw new Error(weir.validate('{}'));
  const batch = weir.encodeBatch({ number: 1, events: [{ name: 'pageview' }] });
  if (weir.decode(batch).events[0].name !== 'pageview') throw new Error('another event');
  console.log(weir.schemaVersion());`;

test('as an ES module', () => {
  writeFileSync(path.join(folder, 'use.mjs'), `import * as weir from '@weir/event';${use}`);
  assert.equal(run('node', 'use.mjs'), '1\n');
});

test('as CommonJS', () => {
  writeFileSync(path.join(folder, 'use.cjs'), `const weir = require('@weir/event');${use}`);
  assert.equal(run('node', 'use.cjs'), '1\n');
});

test('with an instance of its own', () => {
  writeFileSync(
    path.join(folder, 'web.mjs'),
    `import { readFileSync } from 'node:fs';
    import * as weir from '@weir/event/web';
    weir.initSync({ module: readFileSync(new URL(import.meta.resolve('@weir/event/weir_bg.wasm'))) });${use}`,
  );
  assert.equal(run('node', 'web.mjs'), '1\n');
});

for (const [module, extension] of [['nodenext', 'mts'], ['nodenext', 'cts'], ['preserve', 'mts']]) {
  test(`the types hold: module ${module}, .${extension}`, () => {
    const file = `types.${extension}`;
    cpSync(path.join(__dirname, 'types.mts'), path.join(folder, file));
    const tsc = path.join(repository, 'node_modules/.bin/tsc');
    const options = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--lib', 'es2022,dom', '--types', '', '--module', module];
    const checked = spawnSync(tsc, [...options, file], { cwd: folder, encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  });
}
