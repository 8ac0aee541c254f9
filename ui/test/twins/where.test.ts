import { expect, it } from "vitest";
import { system } from "@/core/units.ts";
import { readWhere, valueAsRead, valueFromRead, writeWhere } from "@/twins/where.ts";

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

it("a number is shown and typed in the unit that is read, texts and truths as they are", () => {
  expect([valueAsRead("80", "°C"), valueFromRead("80.50", "°C")]).toEqual(["80", "80.50"]);
  system.value = "us";
  expect([valueAsRead("80", "°C"), valueFromRead("176", "°C"), valueFromRead("-40", "°C")]).toEqual(["176", "80", "-40"]);
  expect([valueAsRead("auto", "°C"), valueFromRead("true", "°C"), valueFromRead("5", ""), valueFromRead("5.0", "%")]).toEqual(["auto", "true", "5", "5.0"]);
  system.value = "";
});
