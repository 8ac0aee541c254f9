// @vitest-environment node
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

type Theme = "light" | "dark";
type Tokens = Record<Theme, Record<string, string>>;

function read(file: string, over: Tokens): Tokens {
  const css = readFileSync(new URL(`../../src/style/${file}`, import.meta.url), "utf8");
  const found: Tokens = { light: { ...over.light }, dark: { ...over.dark } };
  for (const [, name, light, dark] of css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)) {
    found.light[name!] = light!;
    found.dark[name!] = dark!;
  }
  return found;
}

const standard = read("tokens.css", { light: {}, dark: {} });
const SETS: Record<string, Tokens> = { standard, safe: read("safe.css", standard) };

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const share = parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high! + 0.05) / (low! + 0.05);
}

const TEXT: [string, string[]][] = [
  ["fg1", ["bg0", "bg1", "bg2", "bg3", "tint1", "tint2", "tint3", "tint4"]],
  ["fg2", ["bg1", "bg2", "bg3", "tint1", "tint2", "tint3", "tint4"]],
  ["fg3", ["bg1", "bg2"]],
  ["accent", ["bg1", "bg2"]],
  ["on-accent", ["accent-fill"]],
  ["on-priority", ["p1", "p2", "p3", "p4"]],
  ["p1", ["bg1", "bg2"]],
];
const GRAPHICS: [string, string[]][] = [
  ["p1", ["bg1", "bg2", "tint1"]],
  ["p2", ["bg1", "bg2", "tint2"]],
  ["p3", ["bg1", "bg2", "tint3"]],
  ["p4", ["bg1", "bg2", "tint4"]],
  ["line2", ["bg1", "bg2"]],
  ["focus", ["bg1", "bg2", "bg3"]],
  ["body3d", ["floor3d", "sky3d"]],
  ...[1, 2, 3, 4, 5, 6].map((i): [string, string[]] => [`s${i}`, ["bg1", "bg2"]]),
];

describe.each([
  ["standard", "light"],
  ["standard", "dark"],
  ["safe", "light"],
  ["safe", "dark"],
] as const)("%s colours of the %s theme", (set, theme) => {
  const tokens = SETS[set]!;
  const pairs = (list: [string, string[]][]): [string, string][] => list.flatMap(([ink, grounds]) => grounds.map((ground): [string, string] => [ink, ground]));
  it.each(pairs(TEXT))("text %s on %s reaches 4.5", (ink, ground) => {
    expect(contrast(tokens[theme][ink]!, tokens[theme][ground]!)).toBeGreaterThanOrEqual(4.5);
  });
  it.each(pairs(GRAPHICS))("graphics %s on %s reach 3", (ink, ground) => {
    expect(contrast(tokens[theme][ink]!, tokens[theme][ground]!)).toBeGreaterThanOrEqual(3);
  });
});

/** What is left of a colour without one kind of cone: Machado, Oliveira and Fernandes 2009, severity 1. */
const EYES: Record<string, number[][]> = {
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
};

function seen(hex: string, eye: number[][]): number[] {
  const light = [1, 3, 5].map((at) => {
    const share = parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const [r, g, b] = eye.map((row) => Math.max(0, Math.min(1, row[0]! * light[0]! + row[1]! * light[1]! + row[2]! * light[2]!))) as [number, number, number];
  const bend = (t: number): number => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const [x, y, z] = [bend((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047), bend(0.2126 * r + 0.7152 * g + 0.0722 * b), bend((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883)];
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function nearest(set: string, theme: Theme, eye: string): number {
  const labs = [1, 2, 3, 4].map((i) => seen(SETS[set]![theme][`p${i}`]!, EYES[eye]!));
  return Math.min(...labs.flatMap((a, i) => labs.slice(i + 1).map((b) => Math.hypot(...a.map((one, k) => one - b[k]!)))));
}

describe.each(["light", "dark"] as const)("priorities of the safe set, %s", (theme) => {
  it.each(Object.keys(EYES))("differ by at least 20 (CIE 1976) to %s eyes", (eye) => expect(nearest("safe", theme, eye)).toBeGreaterThanOrEqual(20));
});

it("priorities of the standard set are closer than that to some eyes", () => {
  expect(nearest("standard", "light", "protan")).toBeLessThan(20);
});

it("the contrast of black and white is 21", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 5);
});
