// @vitest-environment node
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const css = readFileSync(new URL("../../src/style/tokens.css", import.meta.url), "utf8");

type Theme = "light" | "dark";
const tokens: Record<Theme, Record<string, string>> = { light: {}, dark: {} };
for (const [, name, light, dark] of css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)) {
  tokens.light[name!] = light!;
  tokens.dark[name!] = dark!;
}

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

describe.each(["light", "dark"] as const)("colours of the %s theme", (theme) => {
  const pairs = (list: [string, string[]][]): [string, string][] => list.flatMap(([ink, grounds]) => grounds.map((ground): [string, string] => [ink, ground]));
  it.each(pairs(TEXT))("text %s on %s reaches 4.5", (ink, ground) => {
    expect(contrast(tokens[theme][ink]!, tokens[theme][ground]!)).toBeGreaterThanOrEqual(4.5);
  });
  it.each(pairs(GRAPHICS))("graphics %s on %s reach 3", (ink, ground) => {
    expect(contrast(tokens[theme][ink]!, tokens[theme][ground]!)).toBeGreaterThanOrEqual(3);
  });
});

it("the contrast of black and white is 21", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 5);
});
