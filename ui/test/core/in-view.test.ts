import { expect, it } from "vitest";
import { past } from "@/core/in-view.ts";

it.each([
  [10, 20, 0, 100, 0],
  [-5, 20, 0, 100, -5],
  [90, 120, 0, 100, 20],
  [30, 300, 0, 100, 30],
  [-30, 300, 0, 100, -30],
])("a span from %i to %i is past a window from %i of %i by %i", (begin, end, first, length, by) => {
  expect(past(begin, end, first, length)).toBe(by);
});
