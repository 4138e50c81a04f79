/** Writes src/generated/models.ts from models.schema.json, which tools/schema.py writes from the server's models. */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";

const folder = new URL("../src/generated/", import.meta.url);
const text = await readFile(new URL("models.schema.json", folder), "utf8");
const schema = JSON.parse(text);
// By which a test sees whether this was run after the schema changed.
const digest = createHash("sha256").update(text).digest("hex");
// One named type per model; a root that refers to all of them makes the compiler write each once.
const root = {
  title: "Models",
  $defs: schema.$defs,
  type: "object",
  additionalProperties: false,
  properties: Object.fromEntries(Object.keys(schema.$defs).map((name) => [name, { $ref: `#/$defs/${name}` }])),
};
const source = await compile(root, "Models", {
  additionalProperties: false,
  bannerComment: `// Made by "npm run types" from models.schema.json (SHA-256 ${digest}); not to be edited.`,
  enableConstEnums: false,
  unreachableDefinitions: false,
});
await writeFile(new URL("models.ts", folder), source);
