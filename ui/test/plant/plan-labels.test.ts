import { describe, expect, it } from "vitest";
import { placed, type Named } from "@/plant/plan-labels.ts";

const named = (twin: string, x: number, urgency = 3): Named => ({ twin, words: "Pump 1", at: [x, 0], urgency });

describe("names on the plan", () => {
  it("stay at their things where there is room", () => {
    expect(placed([named("a", 0), named("b", 10)], 1).map((one) => one.y)).toEqual([0, 0]);
  });

  it("make way for the more urgent, upwards", () => {
    const found = placed([named("low", 0), named("high", 1, 1)], 1);
    expect(found.map((one) => one.twin)).toEqual(["high", "low"]);
    expect(found[1]!.y).toBeLessThan(-1);
  });

  it("are left out where nothing is free, and there are 30 at the most", () => {
    expect(placed(Array.from({ length: 9 }, (_, i) => named(String(i), i / 9)), 1)).toHaveLength(4);
    expect(placed(Array.from({ length: 40 }, (_, i) => named(String(i), i * 20)), 1)).toHaveLength(30);
  });
});
