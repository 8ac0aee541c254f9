import { expect, it } from "vitest";
import { wordsApart } from "@/charts/apart.ts";

const overlaps = (lows: number[], height: number): boolean => lows.some((a, i) => lows.some((b, k) => i < k && Math.abs(a - b) < height));

it("words stand above their line, below it at the top of the chart", () => {
  expect(wordsApart([100], 14, 0, 200)).toEqual([97]);
  expect(wordsApart([10], 14, 0, 200)).toEqual([28]);
  expect(wordsApart([100, 150], 14, 0, 200)).toEqual([97, 147]);
});

it("of two lines close together the lower has its words below", () => {
  expect(wordsApart([100, 103], 14, 0, 200)).toEqual([97, 121]);
  expect(wordsApart([103, 100], 14, 0, 200), "in whatever order they come").toEqual([121, 97]);
  expect(wordsApart([100, 100], 14, 0, 200), "and at one height").toEqual([97, 118]);
});

it("no two of many overlap, and all stay in the chart while there is room", () => {
  for (const lines of [[100, 101, 102, 103, 104], [2, 3, 4], [198, 199, 197, 196], [50, 58, 66, 74, 82, 90]]) {
    const lows = wordsApart(lines, 14, 0, 200);
    expect(overlaps(lows, 14), lines.join()).toBe(false);
    expect(lows.every((low) => low >= 14 && low <= 200), lines.join()).toBe(true);
  }
});

it("without room each keeps a place, however many there are", () => {
  expect(wordsApart([5, 6, 7], 14, 0, 20)).toHaveLength(3);
  expect(wordsApart([], 14, 0, 20)).toEqual([]);
});
