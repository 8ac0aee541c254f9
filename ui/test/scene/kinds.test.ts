// @vitest-environment node
import { readFileSync } from "node:fs";
import { PerspectiveCamera } from "three";
import { describe, expect, it } from "vitest";
import { build, KINDS } from "@/scene/kinds.ts";
import { Things } from "@/scene/things.ts";
import { levelOf, speedOf } from "@/scene/drive.ts";
import { placeMissing } from "@/scene/placement.ts";
import type { TwinRow } from "@/core/types.ts";

const triangles = (kind: string): number => {
  const model = build(kind);
  return [model.body, ...model.parts.map((part) => part.geometry)].reduce((sum, geometry) => sum + geometry.getAttribute("position").count / 3, 0);
};

describe.each(Object.keys(KINDS))("%s", (kind) => {
  it("stands on the ground and has at most 3,000 triangles", () => {
    const { body } = build(kind);
    expect(body.boundingBox!.min.y).toBeGreaterThan(-0.3);
    expect(body.boundingBox!.min.y).toBeLessThan(0.2);
    expect(triangles(kind)).toBeLessThanOrEqual(3000);
    expect(triangles(kind)).toBeGreaterThan(10);
  });
  it("has normals and colours that are numbers", () => {
    const { body, parts } = build(kind);
    for (const geometry of [body, ...parts.map((part) => part.geometry)]) {
      for (const name of ["position", "normal", "color"]) expect([...geometry.getAttribute(name).array].every(Number.isFinite)).toBe(true);
    }
  });
});

it("the document of the scene names every kind and no other", () => {
  const text = readFileSync(new URL("../../../docs/formats/scene.md", import.meta.url), "utf8");
  const named = [...text.split("## Kinds")[1]!.split("\n## ")[0]!.matchAll(/^\| `([\w-]+)` \|/gm)].map((match) => match[1]);
  expect(named.sort()).toEqual(Object.keys(KINDS).sort());
});

it.each(["__proto__", "constructor", "unheard-of", ""])("a kind called %j is a box", (kind) => {
  expect(triangles(kind)).toBe(triangles("box"));
});

it("parameters that make no sense fall back to the defaults", () => {
  const usual = build("tank").body.boundingBox!;
  for (const height of [0, -1, Number.NaN, Infinity, "9", null, 1e9]) expect(build("tank", { height }).body.boundingBox!.equals(usual)).toBe(true);
});

describe("things", () => {
  const pumps = (count: number) => new Things({ objects: Array.from({ length: count }, (_all, i) => ({ kind: i % 2 ? "motor" : "pump", twin: `m${i}`, at: [(i % 40) * 4, 0, Math.floor(i / 40) * 4] })) });

  it("are one mesh, however many they are", () => {
    const things = pumps(100);
    expect(things.group.children).toHaveLength(1);
    expect(things.all).toHaveLength(100);
  });

  it.each([150_000, 60_000])("keep to a budget of %d triangles", (budget) => {
    const things = pumps(1000);
    const camera = new PerspectiveCamera(32, 1.6, 0.5, 2000);
    camera.position.set(80, 20, 120);
    things.refine(camera, budget);
    expect(things.triangles).toBeLessThanOrEqual(budget);
    expect(things.all.some((thing) => thing.detail < 2)).toBe(true);
    camera.position.copy(things.all[0]!.centre).add({ x: 4, y: 3, z: 4 });
    things.refine(camera, budget);
    expect(things.all[0]!.detail).toBe(0);
    expect(things.triangles).toBeLessThanOrEqual(budget);
  });

  it("many sensors are one cloud of points", () => {
    const things = new Things({ objects: Array.from({ length: 10_000 }, (_all, i) => ({ kind: "sensor", twin: `m${i % 50}`, at: [i, 1, 0] })) });
    expect(things.dots).toHaveLength(10_000);
    expect(things.group.children).toHaveLength(2);
  });
});

describe("motion", () => {
  const reading = (value: unknown, age = 0, quality = 0) => ({ time: 1000_000 - age * 1000, value: value as number, quality, period: 1 });
  const drive = { property: "speed", rated: 1500 };
  it.each([[750, 0.5], [0, 0], [-1500, -1], [1e9, 1.5], [NaN, 0], ["running", 1], ["stopped", 0], [true, 1], [false, 0], [null, 0]])("a value of %s turns at %d of full speed", (value, speed) => expect(speedOf(drive, reading(value), 1000_000, 30)).toBe(speed));
  it("stops when the value is old, bad or unknown", () => {
    expect(speedOf(drive, reading(1500, 31), 1000_000, 30)).toBe(0);
    expect(speedOf(drive, reading(1500, 0, 128), 1000_000, 30)).toBe(0);
    expect(speedOf(drive, undefined, 1000_000, 30)).toBe(0);
  });
  it("fills a tank between empty and full", () => expect([levelOf({ property: "l" }, reading(62)), levelOf({ property: "l", full: 10 }, reading(62)), levelOf({ property: "l" }, undefined)]).toEqual([0.62, 1, -1]));
});

it("twins with a geometry and without a place stand beside the plant", () => {
  const row = (id: string, geometry: string) => ({ id, geometry }) as TwinRow;
  const scene = placeMissing({ objects: [{ kind: "tank", twin: "t", at: [0, 0, 0] }] }, [row("t", "tank"), row("new", "pump"), row("none", "")]);
  expect(scene.objects.map((one) => one.twin)).toEqual(["t", "new"]);
  expect(scene.zones).toHaveLength(1);
});
