import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { sortedByName } from "@/core/naming.ts";

it("names are sorted as the server sorts them", () => {
  const lists = JSON.parse(readFileSync("../tests/core/naming.json", "utf8")) as string[][];
  for (const names of lists) expect(sortedByName([...names].reverse(), (one) => one)).toEqual(names);
});
