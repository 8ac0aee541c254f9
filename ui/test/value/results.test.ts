/** What runs came to, as tables: every figure with its interval, and what was chosen. */

import { describe, expect, it } from "vitest";
import { parametersOf, toldOf } from "@/value/results.tsx";

describe("the table of a run", () => {
  it("says when each machine of a fleet is served, how likely it fails before, and what waiting costs", () => {
    const row = { twin: "pump-1", day: 4, begin: "2026-03-14T00:00:00Z", failsBefore: 0.031, alone: 3, expectedCost: 0.0214, median: 12.34, low: 8, high: 17.5 };
    const told = toldOf("rul", "plan", { machines: 3, served: 1, plan: [row] });
    expect(told.words).toContain("1 of 3 machines");
    expect(told.rows[0]!.slice(2)).toEqual(["4 d", "3.1 %", "12.3 d (8.0 to 17.5)", "3 d", "0.021"]);
    expect(told.columns).toHaveLength(told.rows[0]!.length);
  });

  it("holds savings beside what was expected, and says why a twin has none", () => {
    const one = { twin: "house", unit: "kW h", measured: 900, expected: 1000, saved: 100, low: 60, high: 140, share: 0.1, cvRmse: 0.12, nmbe: 0.01, meetsGuideline14: true };
    const told = toldOf("forecast", "savings", { change: "2026-03-01T00:00:00Z", twins: [one, { twin: "shed", problem: "30 of each are needed" }] });
    expect(told.rows[0]!.slice(1)).toEqual(["900 kW h", "1000 kW h", "100 (60 to 140)", "10.0 %", "12.0 %", "1.0 %", "met"]);
    expect(told.rows[1]![1]).toBe("30 of each are needed");
  });

  it("marks the level that an advisor chose and says whether that is sure", () => {
    const level = (name: string, regret: number) => ({ name, behaviour: "rc1", cost: 1 + regret, regret, low: regret - 0.01, high: regret + 0.01, secondsADecision: 0.004, parameters: 3 });
    const told = toldOf("fidelity", "compare", { level: "simple", best: "full", isSure: false, scenarios: 40, tolerance: 0.02, levels: [level("simple", 0.01), level("full", 0)] });
    expect(told.words).toContain("Chosen: simple (the estimate decides");
    expect(told.words).not.toContain("Undecided");
    const open = { level: "trend", best: "growth", isSure: true, fleets: 400, tolerance: 0.02, undecided: ["trend", "growth"], levels: [] };
    expect(toldOf("fidelity", "advise", open).words).toContain("Undecided between trend and growth");
    expect(told.rows.map((row) => row[6])).toEqual(["chosen", ""]);
    expect(told.rows[0]!.slice(2, 6)).toEqual(["1.0 %", "0.0 % to 2.0 %", "4.00 ms a decision", "3 parameters"]);
  });

  it("gives a calibration with its uncertainty, its gate and the twins that could not be", () => {
    const report = [
      { name: "area", value: 11.9, deviation: 0.04, identifiable: true, atBound: false },
      { name: "height", value: 186, deviation: 429, identifiable: false, atBound: false },
      { name: "start:level", value: 3, deviation: 0.1, identifiable: true, atBound: false },
    ];
    expect(parametersOf({ report })).toBe("area 11.9 ± 0.040; height 186 ± 429, not told by the data");
    const told = toldOf("behaviour", "calibrate", { twins: { tank: { report, holdoutRmse: 0.003, holdoutRmseInUse: 0.039, holdoutCoverage: 0.9, startsAgree: [2, 3], passed: true } }, problems: { other: "too little history" } });
    expect(told.rows[0]!.slice(2)).toEqual(["0.003", "0.039", "90.0 %", "2 of 3", "passed"]);
    expect(told.rows[1]![1]).toBe("too little history");
  });

  it("shows a result that it has no words for by its plain fields", () => {
    const told = toldOf("mine", "study", { count: 2, note: "all", rows: [{ a: 1, b: { c: 2 } }, { a: 3 }] });
    expect(told.words).toBe("count 2, note all");
    expect(told.columns).toEqual(["a"]);
    expect(told.rows).toEqual([["1"], ["3"]]);
    expect(toldOf("mine", "nothing", {}).rows).toEqual([]);
  });
});
