import { afterEach, describe, expect, it } from "vitest";
import { system } from "@/core/units.ts";
import { freshId, isBetter, number, range, signed, signedRange, spread } from "@/whatif/data.ts";
import { linesOf } from "@/whatif/trend.tsx";
import type { ScenarioSeries } from "@/core/types.ts";

const lines = (...mean: (number | null)[]) => ({ mean, low: mean, high: mean });
const answer = (scenario: string, time: number[], measured: (number | null)[]): ScenarioSeries => ({
  scenario,
  time,
  series: [{ twin: "t", property: "p", unit: "m", measured, scenario: lines(...time.map((_, i) => i)), baseline: lines(...time.map(() => 0)) }],
});

afterEach(() => void (system.value = ""));

describe("a scenario's id", () => {
  it("comes from its title and is taken by no other", () => {
    expect(freshId("Offices, 1 °C warmer!", new Set())).toBe("offices-1-c-warmer");
    expect(freshId("Offices", new Set(["offices", "offices-2"]))).toBe("offices-3");
    expect(freshId("???", new Set())).toBe("scenario");
  });
});

describe("a difference", () => {
  it("is better towards the good end, and neither without one", () => {
    expect([isBetter("low", -1), isBetter("low", 1), isBetter("high", 1), isBetter("", 1), isBetter("low", 0)]).toEqual([true, false, true, null, null]);
    expect(signedRange({ mean: 0, low: -1, high: 2 })).toBe("−1 to +2");
  });
  it("is read in the unit that is chosen, without where its scale begins", () => {
    system.value = "us";
    expect([number(20, "°C"), range({ mean: 20, low: 10, high: 30 }, "°C")]).toEqual(["68", "50 to 86"]);
    expect([signed(5, "°C"), spread(5, "°C"), signedRange({ mean: 0, low: -10, high: 5 }, "°C")]).toEqual(["+9", "9", "−18 to +9"]);
    expect([number(20, "°C·h"), signed(null, "°C")]).toEqual(["20", "—"]);
  });
});

describe("the course", () => {
  it("of one scenario stands beside the plant left alone, and what was measured if anything was", () => {
    expect(linesOf([answer("a", [1, 2], [null, null])], ["A"]).lines.map((line) => line.label)).toEqual(["As it is", "What if"]);
    expect(linesOf([answer("a", [1, 2], [5, null])], ["A"]).lines.map((line) => line.label)).toEqual(["As it is", "What if", "Measured"]);
  });
  it("is drawn in the unit that is read, gaps and all", () => {
    system.value = "us";
    const [, whatIf, measured] = linesOf([answer("a", [1, 2], [1, null])], ["A"]).lines;
    expect(whatIf!.high).toEqual([0, expect.closeTo(3.28084, 5)]);
    expect(measured!.mean).toEqual([expect.closeTo(3.28084, 5), null]);
  });
  it("of several is laid over the moments of all, without gaps where another has its moments", () => {
    const { time, lines: found } = linesOf([answer("a", [10, 30], [null, null]), answer("b", [20, 40], [null, null])], ["A", "B"]);
    expect(time).toEqual([10, 20, 30, 40]);
    expect(found.map((line) => line.label)).toEqual(["A", "B"]);
    expect(found[0]!.mean).toEqual([0, undefined, 1, undefined]);
    expect(found[1]!.mean).toEqual([undefined, 0, undefined, 1]);
  });
});
