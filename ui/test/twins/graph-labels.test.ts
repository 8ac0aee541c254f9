/** Names in the picture of the graph: they keep apart, and none that must be told of is lost. */

import { describe, expect, it } from "vitest";
import { LINE, MORE_ROOM, MUST, placeLabels, type Label, type Named } from "@/twins/graph-labels.ts";

const dot = (id: string, x: number, y: number, weight = 1, width = 80): Named => ({ id, x, y, radius: 5, width, weight });

const leftOf = (one: Label, width: number): number => (one.align === "left" ? one.at : one.align === "right" ? one.at - width : one.at - width / 2);

/** A fixed row of numbers that looks like chance. */
function chance(seed: number): () => number {
  let at = seed;
  return () => (at = (at * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
}

describe("the names of a graph", () => {
  it("never lie on one another, on a dot or outside, whatever the picture", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const next = chance(seed);
      const all = Array.from({ length: 300 }, (_all, i) => dot(`t${i}`, next() * 800, next() * 600, 1 + next() * 5, 30 + next() * 120));
      const width = new Map(all.map((one) => [one.id, one.width]));
      const boxes = placeLabels(all, 800, 600).map((one) => [leftOf(one, width.get(one.id)!), one.middle - LINE / 2, leftOf(one, width.get(one.id)!) + width.get(one.id)!, one.middle + LINE / 2] as const);
      expect(boxes.length).toBeGreaterThan(20);
      boxes.forEach((a, i) => {
        expect(a[0] >= 0 && a[2] <= 800 && a[1] >= 0 && a[3] <= 600).toBe(true);
        expect(boxes.slice(i + 1).filter((b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3])).toEqual([]);
        expect(all.filter((one) => a[0] < one.x + 5 && one.x - 5 < a[2] && a[1] < one.y + 5 && one.y - 5 < a[3])).toEqual([]);
      });
    }
  });

  it("are given to the heaviest first, on the side that has room", () => {
    const [first, second] = placeLabels([dot("light", 100, 100, 1), dot("heavy", 104, 100, 5)], 400, 300);
    expect(first!.id).toBe("heavy");
    expect([first!.align, first!.at]).toEqual(["left", 104 + 5 + 4]);
    expect([second!.align, second!.at]).toEqual(["right", 100 - 5 - 4]);
    expect(placeLabels([dot("edge", 390, 100)], 400, 300)[0]!.align).toBe("right");
  });

  it("that must be told of are counted at their neighbour where there is no room", () => {
    const all = Array.from({ length: 40 }, (_all, i) => dot(`a${i}`, 200 + (i % 7), 150 + (i % 5), MUST, 150));
    const found = placeLabels(all, 400 + MORE_ROOM, 300);
    expect(found.length).toBeLessThan(all.length);
    expect(found.reduce((sum, one) => sum + 1 + one.more, 0)).toBe(all.length);
  });
});
