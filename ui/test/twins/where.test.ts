import { expect, it } from "vitest";
import { readWhere, writeWhere } from "@/twins/where.ts";

it("a comparison is read as it was written, numbers bare and texts in quotes", () => {
  for (const where of [
    { path: "vibration", operator: ">", value: "7" },
    { path: "bearing.temperature", operator: "<=", value: "-1.5e3" },
    { path: "mode", operator: "=", value: "it's a \\ test" },
    { path: "running", operator: "!=", value: "true" },
  ])
    expect(readWhere(writeWhere(where))).toEqual(where);
  expect(writeWhere({ path: "mode", operator: "=", value: "auto" })).toBe("mode = 'auto'");
});

it("more than one comparison is left to the server", () => {
  expect(readWhere("a > 1 AND b < 2")).toBeNull();
  expect(readWhere("STARTSWITH(name, 'x')")).toBeNull();
});
