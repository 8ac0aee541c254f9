// Judges models with the reference parser: a JSON text a line in, a verdict a line out.
// Usage: node reference_parser.mjs FOLDER   where FOLDER/node_modules has @digicatapult/dtdl-parser
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { readFileSync } from "node:fs";

const home = join(process.argv[2], "node_modules/@digicatapult/dtdl-parser");
const entry = JSON.parse(readFileSync(join(home, "package.json"), "utf8")).exports.import;
const { getInterop } = await import(pathToFileURL(join(home, entry)).href);
const parser = await getInterop();

for await (const line of createInterface({ input: process.stdin })) {
  const said = { valid: true, errors: [], unresolved: [] };
  try {
    parser.parse(line);
  } catch (error) {
    said.valid = false;
    try {
      const told = JSON.parse(error.message);
      said.errors = [...new Set((told.Errors ?? []).map((one) => one.ValidationID))];
      said.unresolved = told.UndefinedIdentifiers ?? [];
      if (process.argv[3] === "--explain") said.causes = (told.Errors ?? []).map((one) => one.Cause);
    } catch {
      said.failed = String(error.message).slice(0, 200);
    }
  }
  process.stdout.write(JSON.stringify(said) + "\n");
}
