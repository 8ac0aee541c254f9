import { afterEach, expect, test, vi } from "vitest";
import { pastAlarms } from "@/core/alarms.ts";
import { loadTwins } from "@/core/plant.ts";
import type { Alarm, TwinRow } from "@/core/types.ts";
import { legendOf } from "@/scene/look.ts";

const alarm = (twin: string, priority: number) => ({ id: twin, twin, title: "Too hot", priority, isActive: true, state: "unacknowledged", lastRaised: "2026-01-02T10:00:00Z" }) as Alarm;
const row = (id: string, parent: string | null) => ({ id, name: id, parent, status: "live" }) as TwinRow;

afterEach(() => {
  pastAlarms.value = null;
  vi.unstubAllGlobals();
});

test("a legend counts an alarm of a part for the thing that shows it", async () => {
  const value = [row("hall", null), row("motor", "hall"), row("bearing", "motor"), row("pump", "hall")];
  vi.stubGlobal("fetch", async () => Response.json({ value, total: value.length, offset: 0, cursor: null }));
  await loadTwins();
  pastAlarms.value = new Map([alarm("bearing", 1), alarm("motor", 3), alarm("elsewhere", 2)].map((one) => [one.id, one]));
  const legend = legendOf("alarm", ["motor", "pump"]);
  expect(legend.kind === "list" && Object.fromEntries(legend.lines.map((line) => [line.words, line.count]))).toEqual({ "1 Critical": 1, "2 High": 0, "3 Medium": 0, "4 Low": 0, "No alarm": 1 });
});
