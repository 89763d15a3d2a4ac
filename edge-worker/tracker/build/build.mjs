/**
 * Builds the scripts into dist/: pieces.rs, which the worker embeds, and the npm package. Prints the sizes.
 *
 * A script with extensions in its name is its pieces in a row, so every combination is built ahead without being stored: see pieces.mjs.
 * esbuild bundles each piece, terser squeezes it.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { minify } from 'terser';
import { AUTOMATIC, assemble, ELEMENT, ELEMENT_COMPAT, EXTENSIONS, FRAME_END, FRAME_START } from './pieces.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const tracker = join(here, '..');
const repository = join(tracker, '../..');
const dist = join(tracker, 'dist');
const esbuild = [join(repository, '.tools/bin/esbuild'), join(repository, 'node_modules/.bin/esbuild')].find(existsSync);
if (!esbuild) throw new Error('esbuild is missing. Bring it with: infra/tools/setup.sh');

/** Oldest JavaScript that browsers must understand: Chrome 80, Firefox 74, Safari 13.1 and later. */
const TARGET = 'es2020';
/** Variables that the pieces share (src/build.ts). */
const SHARED = ['T', 'E', 'X', 'P', 'H', 'L', 'A', 'S', 'W'];

/** Stands before what is made of the package web-vitals. */
const WEB_VITALS_NOTICE = '/* With web-vitals, Copyright Google LLC, Apache License 2.0: https://github.com/GoogleChrome/web-vitals */\n';

/** What stands for the settings in scripts with extensions. */
const variables = {
  RUNTIME: 'false',
  'settings.domain': 'S.dataset.domain',
  'settings.endpoint': 'E',
  'settings.hashBasedRouting': 'H',
  'settings.captureOnLocalhost': 'L',
  'settings.autoCapturePageviews': 'A',
};
/** More would make `var` of parameters. */
const INLINE = 1;
const runtime = { RUNTIME: 'true' };

const bundle = (entry, define, ...options) =>
  execFileSync(
    esbuild,
    [
      `src/entry/${entry}.ts`,
      '--bundle',
      '--minify-syntax',
      '--format=esm',
      `--target=${TARGET}`,
      '--legal-comments=none',
      '--log-level=warning',
      ...Object.entries(define).map(([name, value]) => `--define:${name}=${value}`),
      ...options,
    ],
    { cwd: tracker, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );

/** Squeezes a bundle whose top level becomes the inside of a block. */
const squeeze = async (code) => {
  // A call that terser must take for one that changes the shared variables; taken out again below.
  const guard = `__shared(()=>{${SHARED.map((name) => `${name}=1`).join(';')}});`;
  // esbuild writes top-level declarations as `var`, which would leave the block.
  const { code: small } = await minify(guard + code.replace(/^var /gm, 'let '), {
    ecma: 2020,
    module: true,
    toplevel: true,
    compress: { passes: 4, unsafe: true, unsafe_arrows: true, keep_fargs: false, inline: INLINE },
    mangle: { reserved: SHARED },
  });
  const squeezed = small.replace(/__shared\(\(\)=>\{.*?\}\)[,;]?/, '').replace(/;$/, '');
  if (/\b(__shared|var )/.test(squeezed)) throw new Error(`not as wanted: …${/.{0,80}\b(__shared|var ).{0,80}/.exec(squeezed)?.[0]}…`);
  return squeezed;
};

/** One of the pieces. */
const piece = async (entry, define = {}, ...options) => squeeze(bundle(entry, { ...variables, ...define }, ...options));
/** A block of its own, so that names of pieces do not meet; before the core, and after it. */
const before = (code) => `{${code}}`;
const after = (code) => `;{${code}}`;

export const integrity = (code) => `sha384-${createHash('sha384').update(code).digest('base64')}`;
export const zipped = (code) => gzipSync(code, { level: 9 }).length;

/** All pieces, minified, by name. */
export const build = async () => {
  const pieces = {};
  pieces.vitals = `${WEB_VITALS_NOTICE}{${await squeeze(bundle('vitals', runtime))}}`;
  const vitals = { VITALS: '"vitals.js"', VITALS_INTEGRITY: JSON.stringify(integrity(pieces.vitals)) };
  pieces.core = await piece('core');
  pieces.exclusions = before(await piece('exclusions'));
  pieces['pageview-props'] = before(await piece('pageview-props'));
  for (let number = 1; number < 1 << AUTOMATIC.length; number++) {
    const [outbound, downloads, tagged, forms] = AUTOMATIC.map((_, bit) => `${Boolean(number & (1 << bit))}`);
    const define = {
      'settings.outboundLinks': outbound,
      'settings.fileDownloads': downloads,
      'settings.taggedEvents': tagged,
      'settings.formSubmissions': forms,
    };
    pieces[`automatic-${number}`] = after(await piece('automatic', define));
  }
  pieces['404'] = after(await piece('not-found'));
  pieces['web-vitals'] = after(await piece('web-vitals', vitals));
  pieces.site = await squeeze(bundle('site', { ...runtime, ...vitals }, '--inject:./src/settings.ts'));
  return pieces;
};

/** File name of the script with these extensions. */
const nameOf = (extensions) => ['script', ...extensions, 'js'].join('.');

/** As a Rust string. */
const quoted = (text) => `"${text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n')}"`;

const rust = (pieces) => {
  const automatic = Array.from({ length: 1 << AUTOMATIC.length }, (_, number) => `    ${quoted(pieces[`automatic-${number}`] || '')},`);
  const constant = (name, text, what) => `/// ${what}\nconst ${name}: &str = ${quoted(text)};\n`;
  const extensions = (names) => `[${names.map(quoted).join(', ')}]`;
  const samples = [[], ...EXTENSIONS.map((extension) => [extension]), EXTENSIONS].map(
    (extensions) => `    (${quoted(nameOf(extensions))}, ${quoted(integrity(assemble(pieces, extensions)))}),`,
  );
  return [
    '// Made by edge-worker/tracker/build/build.mjs.\n',
    ...Object.entries({ FRAME_START, FRAME_END, ELEMENT, ELEMENT_COMPAT }).map(([name, text]) => constant(name, text, 'As in pieces.mjs.')),
    `/// Extensions that a script's name may have.\npub(super) const EXTENSIONS: [&str; ${EXTENSIONS.length}] = ${extensions(EXTENSIONS)};\n`,
    `/// The bits of the number of an automatic piece.\nconst AUTOMATIC_BITS: [&str; ${AUTOMATIC.length}] = ${extensions(AUTOMATIC)};\n`,
    constant('CORE', pieces.core, 'Every script.'),
    constant('EXCLUSIONS', pieces.exclusions, 'Pages that are not counted.'),
    constant('PAGEVIEW_PROPS', pieces['pageview-props'], 'Properties from attributes.'),
    `/// Automatic events, by number.\nconst AUTOMATIC: [&str; ${automatic.length}] = [\n${automatic.join('\n')}\n];\n`,
    constant('NOT_FOUND', pieces['404'], 'Pages that were not found.'),
    constant('WEB_VITALS', pieces['web-vitals'], 'Loads the web vitals.'),
    constant('VITALS', pieces.vitals, 'The web vitals.'),
    constant('SITE', pieces.site, 'The per-site script, without its settings.'),
    `/// Names and digests of a few scripts.\n#[cfg(test)]\nconst EXPECTED: [(&str, &str); ${samples.length}] = [\n${samples.join('\n')}\n];\n`,
  ].join('\n');
};

/** Writes a file only when its bytes differ, so that cargo does not build anew for nothing. */
const place = (name, text) => {
  const path = join(dist, name);
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
};

const npm = () => {
  place('npm/index.js', bundle('npm', runtime, '--inject:./src/settings.ts', '--minify-whitespace', '--minify-identifiers'));
  place('npm/vitals.js', WEB_VITALS_NOTICE + bundle('npm-vitals', runtime, '--minify-whitespace', '--minify-identifiers'));
  // The declarations of the two entries and of what they name.
  const types = join(dist, 'types');
  const tsc = join(repository, 'node_modules/.bin/tsc');
  execFileSync(
    tsc,
    [
      '--project',
      'tsconfig.npm.json',
      '--noEmit',
      'false',
      '--rootDir',
      'src',
      '--declaration',
      '--emitDeclarationOnly',
      '--noCheck',
      '--outDir',
      types,
    ],
    {
      cwd: tracker,
      stdio: 'inherit',
    },
  );
  const declaration = (name) =>
    readFileSync(join(types, name), 'utf8')
      .replace(/'\.\.\/(\w+)'/g, "'./$1.js'")
      .replace(/"\.\.\/(\w+)"/g, '"./$1.js"')
      .replace(/'\.\/(\w+)'/g, "'./$1.js'");
  place('npm/index.d.ts', declaration('entry/npm.d.ts'));
  place('npm/api.d.ts', declaration('api.d.ts'));
  place('npm/vitals.d.ts', declaration('vitals.d.ts'));
  rmSync(types, { recursive: true });
};

/** Sizes by name of the script: with one extension, and with all. */
export const sizes = (pieces) => {
  const scripts = [[], ...EXTENSIONS.map((extension) => [extension]), EXTENSIONS];
  const named = scripts.map((extensions) => [nameOf(extensions), assemble(pieces, extensions)]);
  return [...named, ['pa-….js', `{let W={};${pieces.site}}`], ['vitals.js', pieces.vitals]].map(([name, code]) => [name, zipped(code)]);
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const pieces = await build();
  place('pieces.rs', rust(pieces));
  place('pieces.json', JSON.stringify(pieces));
  npm();
  if (process.argv.includes('--sizes'))
    for (const [name, bytes] of sizes(pieces)) console.log(`${String(bytes).padStart(6)} B gzip  ${name}`);
}
