/** Fails the build where a place needs more than its share: phones on a lecture hall's Wi-Fi load them all at once. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** Compressed, of everything that must be there before the place shows; the inference runtime is none of it. */
const BUDGETS_KB = {
  "src/capture/film.ts": 200,
  "src/start/start.ts": 100,
  "src/join/join.ts": 60,
  "src/wall/wall.ts": 60,
  "src/viewer/viewer.ts": 200,
  "src/compare/compare.ts": 100,
};

const dist = process.argv[2] ?? new URL("../dist", import.meta.url).pathname;
const manifest = JSON.parse(await readFile(join(dist, ".vite/manifest.json"), "utf8"));
const failures = [];
for (const [place, budgetKb] of Object.entries(BUDGETS_KB)) {
  const chunks = new Set();
  for (const start of ["index.html", place]) collect(start, chunks);
  const files = [...chunks].flatMap((name) => [manifest[name].file, ...(manifest[name].css ?? [])]);
  const sizes = await Promise.all([...new Set(files)].map(async (file) => compressed(file)));
  const sizeKb = sizes.reduce((sum, size) => sum + size, 0) / 1000;
  console.log(`${place}: ${sizeKb.toFixed(1)} of ${budgetKb} kB`);
  if (sizeKb > budgetKb) failures.push(place);
}
if (failures.length > 0) {
  console.error(`Too large: ${failures.join(", ")}. Load what is not needed at once with a dynamic import.`);
  process.exit(1);
}

/** A chunk and all that it imports at once. */
function collect(name, chunks) {
  if (manifest[name] === undefined) throw new Error(`${name} was not built: mend the places in tools/budget.mjs`);
  if (chunks.has(name)) return;
  chunks.add(name);
  for (const imported of manifest[name].imports ?? []) collect(imported, chunks);
}

async function compressed(file) {
  return gzipSync(await readFile(join(dist, file)), { level: 9 }).length;
}
