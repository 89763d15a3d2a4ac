/** Fails when the scripts that the main page loads before anything is seen are larger than they may be. */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT_BYTES = 100_000;

const page = readFileSync("dist/index.html", "utf8");
const scripts = [...page.matchAll(/(?:src|href)="(\/[^"]+\.js)"/g)].map(([, path]) => path);
const bytes = scripts.reduce(
  (sum, path) => sum + gzipSync(readFileSync(`dist${path}`), { level: 9 }).length,
  0,
);
if (scripts.length === 0) throw new Error("dist/index.html loads no script: run vite build first");
if (bytes > LIMIT_BYTES) {
  throw new Error(
    `the main page loads ${bytes} bytes of gzipped JavaScript, ${LIMIT_BYTES} are allowed: load rare parts lazily`,
  );
}
process.stdout.write(
  `main page: ${scripts.length} scripts, ${bytes} bytes gzipped, of ${LIMIT_BYTES} allowed\n`,
);
