// Says which npm packages of the page are missing or of another version than ui/package-lock.json asks for.
import { readFileSync } from "node:fs";

const wanted = JSON.parse(readFileSync("package-lock.json", "utf8")).packages;
const names = Object.entries(wanted).filter(([path, one]) => path && !one.optional);
const wrong = names.filter(([path, one]) => {
  try {
    return JSON.parse(readFileSync(`${path}/package.json`, "utf8")).version !== one.version;
  } catch {
    return true;
  }
});
if (wrong.length) {
  const list = wrong.map(([path, one]) => `${path.replace(/^node_modules\//, "")} ${one.version}`);
  console.error(`The page cannot be checked: npm packages are missing or of another version: ${list.slice(0, 8).join(", ")}${list.length > 8 ? `, and ${list.length - 8} more` : ""}.`);
  console.error("Install them: (cd ui && npm ci --ignore-scripts)");
  process.exit(1);
}
