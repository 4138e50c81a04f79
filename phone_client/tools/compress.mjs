/** Puts NAME.gz beside each built file that shrinks: compressed once here, not for every phone. */
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const WORTH_IT = 0.9;
const LEAST_BYTES = 1000;

const dist = process.argv[2] ?? new URL("../dist", import.meta.url).pathname;
for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || entry.name.endsWith(".gz") || path.includes("/.vite/")) continue;
  const content = await readFile(path);
  if (content.length < LEAST_BYTES) continue;
  const compressed = gzipSync(content, { level: 9 });
  if (compressed.length < WORTH_IT * content.length) await writeFile(`${path}.gz`, compressed);
}
