import { afterEach, expect, test } from "vitest";
import { SYSTEMS } from "@/core/answers/units.ts";
import { asRead, enteredAsRead, enteredFromRead, plainAsRead, spreadAsRead, system, unitAsRead } from "@/core/units.ts";

afterEach(() => (system.value = ""));

test("values are read as the models say until another system is chosen", () => {
  expect([asRead(80, "°C"), unitAsRead("°C"), plainAsRead(80, "°C")]).toEqual([80, "°C", "80"]);
  system.value = "us";
  expect([asRead(80, "°C"), unitAsRead("°C"), plainAsRead(80, "°C")]).toEqual([176, "°F", "176"]);
  expect(spreadAsRead(5, "°C")).toBe(9);
  expect(localStorage.getItem("gemel.units")).toBe("us");
  system.value = "metric";
  expect([asRead(212, "°F"), unitAsRead("psi"), asRead(80, "°C")]).toEqual([expect.closeTo(100, 9), "bar", 80]);
});

test("what has no other unit, no unit, or is no number stays as it is", () => {
  system.value = "us";
  expect([asRead(5, "u/h"), unitAsRead("u/h"), asRead(5, null), unitAsRead(null), plainAsRead(true, "°C")]).toEqual([5, "u/h", 5, null, "true"]);
});

test("there and back is the same value, in every unit that both systems name", () => {
  for (const [unit, [other, scale, offset]] of Object.entries(SYSTEMS["us"]!)) {
    const back = SYSTEMS["metric"]![other];
    if (back?.[0] === unit) expect((7 * scale + offset) * back[1] + back[2], unit).toBeCloseTo(7, 9);
  }
});

test("what is typed in the unit that is read goes back to the model's, in every unit", () => {
  expect(enteredFromRead(176, "°C")).toBe(176);
  system.value = "us";
  expect([enteredFromRead(176, "°C"), enteredFromRead(9, "°C", "spread"), enteredAsRead(80, "°C"), enteredAsRead(5, "°C", "spread"), enteredFromRead(5, "%")]).toEqual([80, 5, 176, 9, 5]);
  for (const unit of Object.keys(SYSTEMS["us"]!))
    for (const kind of ["value", "spread"] as const) expect(enteredFromRead(enteredAsRead(12.5, unit, kind), unit, kind), unit).toBeCloseTo(12.5, 6);
});
