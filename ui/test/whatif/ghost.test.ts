import { expect, it } from "vitest";
import { differs, shellsOf } from "@/plant/ghost.tsx";

const said = (twin: string, property: string, scenario: number | null, baseline: number) => ({ twin, property, unit: "", scenario, baseline, low: scenario === null ? null : scenario - 1, high: scenario === null ? null : scenario + 1 });

it("differs only beyond its own band, and not when nothing is known", () => {
  expect([differs(said("a", "p", 5, 5.5)), differs(said("a", "p", 5, 7)), differs(said("a", "p", null, 7))]).toEqual([false, true, false]);
});

it("a twin is marked when any of its values differs, or the chosen one", () => {
  const values = [said("a", "p", 5, 7), said("a", "q", 5, 5), said("b", "q", 1, 1)];
  expect([...shellsOf(values, "")]).toEqual([["a", "s2"], ["b", "s6"]]);
  expect([...shellsOf(values, "q")]).toEqual([["a", "s6"], ["b", "s6"]]);
});
