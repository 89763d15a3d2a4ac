// Licences of npm packages, from package-lock.json: what the dashboard, the tracker and the tools of the build may be under. `cargo deny` does the same for crates.
import { readFileSync } from "node:fs";

// Shipped, inside the program or the script.
const shipped = ["Apache-2.0", "MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "0BSD"];
// Of tools that build or test: nothing of them is shipped.
const tools = [...shipped, "MPL-2.0", "MIT OR Apache-2.0", "CC0-1.0"];

const faults = [];
let count = 0;
for (const [path, entry] of Object.entries(JSON.parse(readFileSync("package-lock.json", "utf8")).packages)) {
  // The parts of this repository are links.
  if (!path.startsWith("node_modules/") || entry.link) continue;
  count += 1;
  const allowed = entry.dev || entry.devOptional || entry.optional ? tools : shipped;
  if (!allowed.includes(entry.license)) {
    faults.push(`${path.slice("node_modules/".length)} ${entry.version}: ${entry.license ?? "says no licence"}`);
  }
}
if (faults.length > 0 || count === 0) {
  console.error(`npm packages whose licence is not among the allowed (infra/tools/npm-licences.mjs):\n  ${faults.join("\n  ")}`);
  process.exit(1);
}
console.log(`npm licences ok (${count} packages)`);
