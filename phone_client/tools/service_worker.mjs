/** Writes dist/service-worker.js: the source beside this file, with the names of what was just built. */
import { createHash } from "node:crypto";
import { readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** Larger files are kept only once they were used: the inference runtime and the sample. */
const LARGE_BYTES = 400_000;
const SCRIPT = "service-worker.js";

const dist = process.argv[2] ?? new URL("../dist", import.meta.url).pathname;
const entries = await readdir(dist, { recursive: true, withFileTypes: true });
const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
const digest = createHash("sha256");
const files = [];
const largeFiles = [];
for (const path of paths.sort()) {
  const name = `/${relative(dist, path)}`;
  if (name === `/${SCRIPT}` || name.startsWith("/.")) continue;
  digest.update(name).update(await readFile(path));
  if ((await stat(path)).size > LARGE_BYTES) largeFiles.push(name);
  else files.push(name === "/index.html" ? "/" : name);
}
const source = await readFile(new URL("service_worker_source.js", import.meta.url), "utf8");
const filled = source
  .replace("__VERSION__", digest.digest("hex").slice(0, 16))
  .replace("__FILES__", JSON.stringify(files))
  .replace("__LARGE_FILES__", JSON.stringify(largeFiles));
await writeFile(join(dist, SCRIPT), filled);
