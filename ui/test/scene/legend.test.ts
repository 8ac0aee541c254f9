import { afterEach, expect, test, vi } from "vitest";
import { pastAlarms } from "@/core/alarms.ts";
import { loadTwins } from "@/core/plant.ts";
import type { Alarm, TwinRow } from "@/core/types.ts";
import { takeUnits } from "@/core/path-units.ts";
import { system } from "@/core/units.ts";
import { showValues, type Reading } from "@/live/client.ts";
import { legendOf, wordsFor } from "@/scene/look.ts";

const alarm = (twin: string, priority: number) => ({ id: twin, twin, title: "Too hot", priority, isActive: true, state: "unacknowledged", lastRaised: "2026-01-02T10:00:00Z" }) as Alarm;
const row = (id: string, parent: string | null) => ({ id, name: id, parent, status: "live" }) as TwinRow;

afterEach(() => {
  pastAlarms.value = null;
  vi.unstubAllGlobals();
  system.value = "";
  showValues(null);
});

test("a legend counts an alarm of a part for the thing that shows it", async () => {
  const value = [row("hall", null), row("motor", "hall"), row("bearing", "motor"), row("pump", "hall")];
  vi.stubGlobal("fetch", async () => Response.json({ value, total: value.length, offset: 0, cursor: null }));
  await loadTwins();
  pastAlarms.value = new Map([alarm("bearing", 1), alarm("motor", 3), alarm("elsewhere", 2)].map((one) => [one.id, one]));
  const legend = legendOf("alarm", ["motor", "pump"]);
  expect(legend.kind === "list" && Object.fromEntries(legend.lines.map((line) => [line.words, line.count]))).toEqual({ "1 Critical": 1, "2 High": 0, "3 Medium": 0, "4 Low": 0, "No alarm": 1 });
});

test("colours by a property have a legend and labels in the unit that is read", () => {
  takeUnits([{ path: "temperature", units: ["°C"] }]);
  const reading = (value: number) => ({ time: 1, value, quality: 0, period: 0 }) as Reading;
  showValues(new Map([["a\ntemperature", reading(20)], ["b\ntemperature", reading(40)]]));
  const by = "property:temperature";
  expect(legendOf(by, ["a", "b"])).toMatchObject({ unit: "°C", scale: { low: 20, high: 40, count: 2 } });
  system.value = "us";
  expect(legendOf(by, ["a", "b"])).toMatchObject({ unit: "°F", scale: { low: 60, high: 110, count: 2 } });
  expect(wordsFor(by, "b")).toBe("104 °F");
  takeUnits([{ path: "temperature", units: ["", "°C"] }]);
  expect(legendOf(by, ["a", "b"])).toMatchObject({ unit: "", scale: { low: 20, high: 40 } });
});
