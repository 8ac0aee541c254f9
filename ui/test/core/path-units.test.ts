import { expect, test } from "vitest";
import { hasManyUnits, takeUnits, unitOf } from "@/core/path-units.ts";

test("a property has a unit when all models agree on it", () => {
  takeUnits([
    { path: "temperature", units: ["°C"] },
    { path: "level", units: ["", "%"] },
    { path: "mode", units: [""] },
  ]);
  expect([unitOf("temperature"), unitOf("level"), unitOf("mode"), unitOf("nowhere")]).toEqual(["°C", "", "", ""]);
  expect([hasManyUnits("temperature"), hasManyUnits("level"), hasManyUnits("nowhere")]).toEqual([false, true, false]);
});
