/** The State tab shows what was derived, predicted and simulated beside the measured value. */

import { render } from "preact";
import { afterEach, expect, it } from "vitest";
import { moment, wall } from "@/core/clock.ts";
import type { Other, Property, Twin } from "@/core/types.ts";
import { boundsOf, StateTab } from "@/twins/state.tsx";

const at = Date.parse("2026-11-22T10:00:00Z");
const predicted: Other = { provenance: "predicted", value: 42.5, time: "2026-11-22T10:10:00Z", received: "2026-11-22T10:00:00Z", quality: "good", quantiles: { "0.95": 44, "0.05": 41.3 } };
const derived: Other = { provenance: "derived", value: 41, time: "2026-11-22T09:59:30Z", received: "2026-11-22T09:59:31Z", quality: "bad", quantiles: {} };
const property = {
  name: "flow", path: "flow", kind: "telemetry", schema: "double", unit: "m³/h", displayName: "Flow", value: 41.8, time: "2026-11-22T10:00:00Z", received: null, age: 0,
  quality: "good", cause: "", isStale: false, staleAfter: 30, writable: false, desired: null, desiredProblem: "", minimum: null, maximum: null, series: 1, others: [predicted, derived],
} as Property;

afterEach(() => {
  render(null, document.body);
  moment.value = null;
});

it("gives each a line of its own, with its kind, bounds and age", () => {
  wall.value = at;
  render(<StateTab twin={{ id: "pump-1", name: "Pump 1", staleAfter: 30, properties: [property], alarmList: [] } as unknown as Twin} />, document.body);
  const rows = [...document.querySelectorAll<HTMLElement>("[data-testid=other-row]")];
  expect(rows.map((row) => row.dataset["provenance"])).toEqual(["predicted", "derived"]);
  const cells = rows.map((row) => [...row.children].map((cell) => cell.textContent));
  expect(cells[0]).toEqual(["Flow predicted", "42.5 m³/h", "5 %: 41.3, 95 %: 44", "in 10 min", ""]);
  expect(cells[1]![1]).toContain("bad");
  expect(cells[1]![3]).toBe("30 s");
});

it("has no such line where everything was measured", () => {
  wall.value = at;
  render(<StateTab twin={{ id: "pump-1", name: "Pump 1", staleAfter: 30, properties: [{ ...property, others: [] }], alarmList: [] } as unknown as Twin} />, document.body);
  expect(document.querySelectorAll("[data-testid=property-row]").length).toBe(1);
  expect(document.querySelectorAll("[data-testid=other-row]").length).toBe(0);
});

it("shows none at another moment, as they are those of now", () => {
  moment.value = at - 3_600_000;
  render(<StateTab twin={{ id: "pump-1", name: "Pump 1", staleAfter: 30, properties: [property], alarmList: [] } as unknown as Twin} />, document.body);
  expect(document.querySelectorAll("[data-testid=property-row]").length).toBe(1);
  expect(document.querySelectorAll("[data-testid=other-row]").length).toBe(0);
});

it("orders the bounds by their level", () => {
  expect(boundsOf(predicted)).toBe("5 %: 41.3, 95 %: 44");
  expect(boundsOf(derived)).toBe("");
});
