/** What is foretold stands among the alarms by its chance times its consequence. */

import { expect, it } from "vitest";
import { withRisks } from "@/overview/attention.tsx";
import type { Alarm, Risk } from "@/core/types.ts";

const alarm = (id: string, priority: number, isActive = true): Alarm => ({ id, priority, isActive }) as Alarm;
const risk = (rule: string, score: number): Risk => ({ rule, score }) as Risk;

it("puts a foretold limit before the first alarm that weighs less", () => {
  const list = withRisks([alarm("critical", 1), alarm("medium", 3), alarm("over", 1, false)], [risk("likely and high", 3.2), risk("hardly", 0.4)]);
  expect(list.map((one) => ("id" in one ? one.id : one.rule))).toEqual(["critical", "likely and high", "medium", "over", "hardly"]);
});

it("shows what is foretold where nothing is wrong yet", () => {
  expect(withRisks([], [risk("one", 1)])).toHaveLength(1);
});
