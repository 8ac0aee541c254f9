// @vitest-environment node
/** The page's evaluator of shape specs makes the meshes of the golden file that the server's is held to as well. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { buildKind, SPECS } from "@/scene/spec/evaluate.ts";
import { evaluate } from "@/scene/spec/expression.ts";
import type { Mesh } from "@/scene/spec/mesh.ts";

interface Golden {
  kind: string;
  parameters: Record<string, number>;
  triangles: number[];
  bounds: [number[], number[]][];
}

const golden = JSON.parse(readFileSync(new URL("../../../tests/scene/golden.json", import.meta.url), "utf8")) as Golden[];

it("the golden file has every kind", () => expect([...new Set(golden.map((one) => one.kind))].sort()).toEqual(Object.keys(SPECS.kinds).sort()));

it.each(golden.map((one) => [one.kind, JSON.stringify(one.parameters), one] as const))("%s %s", (kind, _words, one) => {
  const built = buildKind(kind, one.parameters);
  const meshes: Mesh[] = [built.body, ...built.parts.map((part) => part.mesh)];
  expect(meshes.map((mesh) => mesh.triangles)).toEqual(one.triangles);
  meshes.forEach((mesh, i) => {
    const { min, max } = mesh.bounds();
    [...min, ...max].forEach((value, k) => expect(value).toBeCloseTo(one.bounds[i]!.flat()[k]!, 3));
  });
});

it.each(Object.keys(SPECS.kinds))("%s has a plain form of at most 300 triangles", (kind) => {
  const { body } = buildKind(kind, {}, undefined, true);
  expect(body.triangles).toBeGreaterThan(0);
  expect(body.triangles).toBeLessThanOrEqual(300);
});

describe("expressions", () => {
  it.each([["1 + 2*3", 7], ["(1 + 2)*3 - -1", 10], ["if(a > 2, 10, 20) % 7", 3], ["2 - 1 - 1", 0], ["round(2.5)", 3]])("%s is %d", (text, value) => expect(evaluate(text, { a: 3 })).toBe(value));
  it.each(["", "1 +", "b", "a.b", "f(1)", "(", "1 2"])("%j is none", (text) => expect(() => evaluate(text, { a: 3 })).toThrow());
});
