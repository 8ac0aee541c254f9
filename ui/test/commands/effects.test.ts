import { describe, expect, it } from "vitest";
import { askedFor, effectOf, handleOf, isEffect, latestMet, numberAsked } from "@/commands/effects.ts";
import type { Behaviour, Command, Scenario, ScenarioLines, Twin } from "@/core/types.ts";

const fan = { id: "air", of: ["fan-1"], commands: { speedSetpoint: "setSpeed" }, outputs: { flow: "f", power: "p", hidden: "h", speedSetpoint: "s" } } as unknown as Behaviour;
const twin = { id: "fan-1", name: "Fan 1", properties: [{ path: "flow" }, { path: "power" }, { path: "speedSetpoint" }] } as unknown as Twin;

describe("what a command would do", () => {
  it("is known where a model of the twin names the command", () => {
    expect(handleOf([fan], "fan-1", "setSpeed")).toEqual({ property: "speedSetpoint", outputs: ["flow", "power", "hidden"] });
    expect(handleOf([fan], "fan-2", "setSpeed")).toBeNull();
    expect(handleOf([fan], "fan-1", "repair")).toBeNull();
  });

  it("is a scenario in which nothing but the command is different, seen at what the twin has", () => {
    const asked = askedFor(twin, "setSpeed 70 on Fan 1", handleOf([fan], "fan-1", "setSpeed")!, 70);
    expect(asked.changes).toEqual([{ twin: "fan-1", property: "speedSetpoint", value: 70 }]);
    expect(asked.kpis?.map((one) => one.property)).toEqual(["flow", "power"]);
    expect(askedFor({ ...twin, properties: [] }, "x", { property: "p", outputs: ["q"] }, 1).kpis).toBeUndefined();
  });

  it("is asked of numbers alone", () => {
    expect([numberAsked(70), numberAsked("70"), numberAsked({ a: 1 }), numberAsked(null)]).toEqual([70, null, null, null]);
  });
});

describe("the scenario of a command", () => {
  const command = { id: "c-1", steps: [{ note: "" }] } as unknown as Command;
  const scenario = (id: string, isDone = true) => ({ id, result: isDone ? {} : null }) as unknown as Scenario;

  it("is the one made for it, or the one that it was asked from", () => {
    expect(effectOf(command, [scenario("other"), scenario("effect-c-1")])?.id).toBe("effect-c-1");
    const promoted = { ...command, steps: [{ note: "what-if 'warm', run r-1" }] } as unknown as Command;
    expect(effectOf(promoted, [scenario("warm")])?.id).toBe("warm");
    expect(effectOf(command, [scenario("warm"), scenario("effect-c-1", false)])).toBeNull();
  });
});

describe("what is listed with its command", () => {
  it("is what was made for one, until somebody keeps it", () => {
    const of = (id: string, kept?: string) => isEffect({ id, kept } as unknown as Scenario);
    expect([of("effect-c-1"), of("effect-c-1", "2026-01-01T00:00:00Z"), of("warmer")]).toEqual([true, false, false]);
  });
});

describe("what was foreseen against what was measured", () => {
  const line = { twin: "fan-1", property: "flow", unit: "", measured: [1, 5, 9, null], scenario: { mean: [1, 2, 3, 4], low: [0, 1, 2, 3], high: [2, 6, 4, 5] }, baseline: { mean: [], low: [], high: [] } } as ScenarioLines;

  it("is the latest moment that has both, since the command", () => {
    expect(latestMet([0, 1, 2, 3], line, 1)).toEqual({ time: 2, mean: 3, low: 2, high: 4, measured: 9, isInside: false });
    expect(latestMet([0, 1], line, 0)?.isInside).toBe(true);
    const sharp = { ...line, measured: [1029.7], scenario: { mean: [1029], low: [1029], high: [1029] } };
    expect(latestMet([0], sharp, 0)?.isInside).toBe(true);
    expect(latestMet([0, 1, 2, 3], line, 3)).toBeNull();
  });
});
