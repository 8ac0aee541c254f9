import { beforeEach, expect, it, vi } from "vitest";
import { byUrgency, counts, isWhole, loadAlarms, loadMore, merged, needsAck, openAlarms, pastAlarms, priorityOfTwin, rankedAlarms, takeAlarm } from "@/core/alarms.ts";
import { status } from "@/live/client.ts";
import type { Alarm, Status } from "@/core/types.ts";

const alarm = (id: string, more: Partial<Alarm> = {}): Alarm => ({ id, rule: "r", ruleVersion: 1, twin: `twin-${id}`, twinName: id, priority: 2, title: "t", state: "unacknowledged", isActive: true, condition: "", property: "x", value: 1, unit: null, limit: 0, raised: "2026-11-22T10:00:00Z", stands: true, class: "", cause: "", consequence: "", response: "", lastRaised: "2026-11-22T10:00:00Z", latest: "2026-11-22T10:00:00Z", recent: [], details: {}, occurrences: 1, chattered: null, shelved: null, suppressedBy: null, outOfService: null, group: null, cleared: null, acknowledged: null, acknowledgedBy: null, comments: [], ...more });

beforeEach(() => (pastAlarms.value = null, [...openAlarms.value.values()].forEach((one) => takeAlarm({ ...one, state: "normal" }))));

it("an alarm that is over leaves the list", () => {
  takeAlarm(alarm("a"));
  expect(counts.value).toMatchObject({ total: 1, unacknowledged: 1 });
  takeAlarm(alarm("a", { state: "normal", isActive: false }));
  expect(counts.value).toMatchObject({ total: 0, unacknowledged: 0 });
});

it("the most urgent comes first: active, then priority, then what nobody has seen, then the newest", () => {
  const list = [alarm("back", { priority: 1, isActive: false, state: "returned" }), alarm("seen", { priority: 1, state: "acknowledged" }), alarm("old", { priority: 1 }), alarm("new", { priority: 1, lastRaised: "2026-11-22T11:00:00Z" }), alarm("low", { priority: 4 })];
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

it("a change is put in its place: the list is as if it had been sorted anew", () => {
  let list: Alarm[] = [];
  const known = new Map<string, Alarm>();
  for (let step = 0; step < 300; step++) {
    const random = (most: number): number => (step * 7919 + most * 104_729) % most;
    const one = alarm(String(random(40)), { priority: 1 + random(4), isActive: random(3) > 0, state: random(2) ? "acknowledged" : "unacknowledged", lastRaised: `2026-11-22T10:00:${10 + random(50)}Z` });
    const isGone = random(5) === 0;
    if (isGone) known.delete(one.id);
    else known.set(one.id, one);
    list = merged(list, new Set([one.id]), isGone ? [] : [one]);
    expect(list).toEqual([...known.values()].sort(byUrgency));
  }
});

it("of very many the first are here, the server counts all, and the rest comes page by page", async () => {
  const all = Array.from({ length: 6200 }, (_all, i) => alarm(String(100_000 + i), { priority: 1 + (i % 4) })).sort(byUrgency);
  const ask = vi.fn(async (path: string) => {
    const search = new URL(path, "http://x").searchParams;
    const from = Number(search.get("cursor") ?? 0);
    const value = path.startsWith("/alarms?limit") ? all.slice(from, from + 500) : [];
    return new Response(JSON.stringify({ value, total: all.length, cursor: from + 500 < all.length ? String(from + 500) : null }));
  });
  vi.stubGlobal("fetch", ask);
  status.value = { alarms: { "1": 1500, "2": 1550, "3": 1550, "4": 1550, unacknowledged: 6200, returned: { "1": 50, "2": 0, "3": 0, "4": 0 } } } as unknown as Status;
  await loadAlarms();
  expect([rankedAlarms.value.length, isWhole.value]).toEqual([5000, false]);
  expect(counts.value).toEqual({ byPriority: { 1: 1550, 2: 1550, 3: 1550, 4: 1550 }, unacknowledged: 6200, total: 6200 });
  for (let page = 0; page < 3; page++) await loadMore();
  expect([rankedAlarms.value.map((one) => one.id), isWhole.value]).toEqual([all.map((one) => one.id), true]);
  vi.unstubAllGlobals();
});
