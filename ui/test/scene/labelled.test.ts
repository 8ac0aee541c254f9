import { afterEach, expect, test } from "vitest";
import { MOST_LABELS, pastAlarms } from "@/core/alarms.ts";
import type { Alarm } from "@/core/types.ts";
import { showValues, type Reading } from "@/live/client.ts";
import { labelled } from "@/scene/labelled.ts";
import type { Thing } from "@/scene/things.ts";

const alarm = (twin: string, more: Partial<Alarm> = {}) => ({ id: twin, twin, title: "Too hot", priority: 3, isActive: true, state: "unacknowledged", property: "temperature", value: 91, unit: "°C", lastRaised: "2026-01-02T10:00:00Z", ...more }) as Alarm;
const open = (...alarms: Alarm[]) => (pastAlarms.value = new Map(alarms.map((one) => [one.id, one])));
const showing = (twin: string) => (twin ? ({ twin, object: { label: twin } } as Thing) : undefined);
const words = (selected = "") => Object.fromEntries(labelled(showing, selected, "alarm").map((one) => [one.twin, one.words]));

afterEach(() => {
  pastAlarms.value = null;
  showValues(null);
});

test("a label tells the value of now; that of the alarm only as long as it lasts", () => {
  open(alarm("a"), alarm("b", { isActive: false, state: "returned" }));
  expect(words()).toEqual({ a: "91 °C", b: "Too hot" });
  showValues(new Map(["a", "b"].map((twin) => [`${twin}\ntemperature`, { time: 1, value: 20, quality: 0, period: 0 } as Reading])));
  expect(words()).toEqual({ a: "20 °C", b: "20 °C" });
});

test("of very many the most urgent are named, and the chosen one with its priority", () => {
  open(...Array.from({ length: MOST_LABELS + 5 }, (_, n) => alarm(`t${n}`, { priority: n < MOST_LABELS ? 1 : 4 })));
  const last = `t${MOST_LABELS + 4}`;
  const found = labelled(showing, last, "alarm");
  expect(found).toHaveLength(MOST_LABELS + 1);
  expect(found[0]).toMatchObject({ twin: last, priority: 4, isChosen: true });
});
