import { expect, test } from "vitest";

import { inWords } from "@/alarms/corrections.tsx";
import type { AlarmCorrection } from "@/core/types.ts";

const NOW = Date.parse("2026-01-02T12:00:00Z");
const alarm = { twin: "t", seconds: 300, value: 91, raised: "2026-01-02T10:00:00Z", cleared: "2026-01-02T10:05:00Z" };

function correction(told: AlarmCorrection["told"], actual: AlarmCorrection["actual"], readings = 2): AlarmCorrection {
  return { id: "c", recorded: "", rule: "hot", ruleVersion: 1, title: "", priority: 1, twin: "t", twinName: "T", readings, from: "", to: "", told, actual, leftOut: { told: 0, actual: 0 } };
}

test("a correction says which alarm was missed, which was none and which stood otherwise", () => {
  expect(inWords(correction([], [alarm]), NOW)).toMatch(/^2 readings that came too late would have raised it: .+ to .+\.$/);
  expect(inWords(correction([alarm], [], 1), NOW)).toMatch(/^With 1 reading that came too late it would not have been raised: .+\.$/);
  expect(inWords(correction([alarm], [{ ...alarm, cleared: null }]), NOW)).toMatch(/ to now, not .+\.$/);
  const many = { ...correction([], [alarm]), leftOut: { told: 0, actual: 7 } };
  expect(inWords(many, NOW)).toMatch(/ to .+ and 7 times more\.$/);
});
