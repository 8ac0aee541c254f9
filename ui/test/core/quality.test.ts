import { describe, expect, it } from "vitest";
import { judge, nextPeriod } from "@/core/quality.ts";

const NOW = 1_000_000;
const at = (age: number, more = {}) => judge({ time: NOW - age * 1000, quality: 0, period: 2, staleAfter: 30, ...more }, NOW);

describe("how a value is shown", () => {
  it("is none before the first value", () => expect(judge({ time: null, quality: 0, period: 0, staleAfter: 30 }, NOW)).toBe("none"));
  it("is good while it is fresh", () => expect(at(1)).toBe("good"));
  it("is late after twice the usual time", () => expect([at(3.9), at(4.1)]).toEqual(["good", "late"]));
  it("is not late below 3 s, however fast values usually come", () => expect(at(2.9, { period: 0.05 })).toBe("good"));
  it("is stale after the time of its model, even when its quality was bad", () => expect([at(31), at(31, { quality: 128 })]).toEqual(["stale", "stale"]));
  it("is bad from quality 128 on", () => expect([at(1, { quality: 127 }), at(1, { quality: 128 })]).toEqual(["good", "bad"]));
  it("never grows old when it is a setting", () => expect(at(1e6, { staleAfter: 0 })).toBe("good"));
});

describe("the usual time between values", () => {
  it("is the first gap, then follows slowly", () => expect(nextPeriod(nextPeriod(0, 2), 3)).toBeCloseTo(2.2));
  it("does not take an outage for a habit", () => expect(nextPeriod(2, 600)).toBeLessThan(2.2));
  it("ignores values that come out of order", () => expect(nextPeriod(2, -1)).toBe(2));
});
