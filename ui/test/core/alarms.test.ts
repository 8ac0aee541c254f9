import { beforeEach, expect, it } from "vitest";
import { byUrgency, counts, needsAck, openAlarms, pastAlarms, priorityOfTwin, rankedAlarms, takeAlarm } from "@/core/alarms.ts";
import type { Alarm } from "@/core/types.ts";

const alarm = (id: string, more: Partial<Alarm> = {}): Alarm => ({ id, rule: "r", ruleVersion: 1, twin: `twin-${id}`, twinName: id, priority: 2, title: "t", state: "unacknowledged", isActive: true, condition: "", property: "x", value: 1, unit: null, limit: 0, raised: "2026-11-22T10:00:00Z", stands: true, class: "", cause: "", consequence: "", response: "", lastRaised: "2026-11-22T10:00:00Z", occurrences: 1, chattered: null, shelved: null, suppressedBy: null, outOfService: null, group: null, cleared: null, acknowledged: null, acknowledgedBy: null, comments: [], ...more });

beforeEach(() => (pastAlarms.value = null, [...openAlarms.value.values()].forEach((one) => takeAlarm({ ...one, state: "normal" }))));

it("an alarm that is over leaves the list", () => {
  takeAlarm(alarm("a"));
  expect(counts.value).toMatchObject({ total: 1, unacknowledged: 1 });
  takeAlarm(alarm("a", { state: "normal", isActive: false }));
  expect(counts.value).toMatchObject({ total: 0, unacknowledged: 0 });
});

it("the most urgent comes first: active, then priority, then what nobody has seen, then the newest", () => {
  const list = [alarm("back", { priority: 1, isActive: false, state: "returned" }), alarm("seen", { priority: 1, state: "acknowledged" }), alarm("old", { priority: 1 }), alarm("new", { priority: 1, raised: "2026-11-22T11:00:00Z" }), alarm("low", { priority: 4 })];
  expect(list.sort(byUrgency).map((one) => one.id)).toEqual(["new", "old", "seen", "low", "back"]);
});

it("a twin has the colour of its most urgent active alarm only", () => {
  for (const one of [alarm("1", { twin: "p", priority: 3 }), alarm("2", { twin: "p", priority: 2, state: "acknowledged" }), alarm("3", { twin: "p", priority: 1, isActive: false, state: "returned" })]) takeAlarm(one);
  expect(priorityOfTwin.value.get("p")).toBe(2);
  expect(rankedAlarms.value).toHaveLength(3);
});

it("what returned by itself still wants to be acknowledged", () => {
  expect(["unacknowledged", "returned", "acknowledged", "normal"].map((state) => needsAck(alarm("a", { state: state as Alarm["state"] })))).toEqual([true, true, false, false]);
});
