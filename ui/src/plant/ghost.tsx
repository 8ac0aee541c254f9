/** The ghost of a scenario over the plant: which scenario, at which moment, and what differs. */

import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { get, query } from "@/core/api.ts";
import { moment, serverNow, wall } from "@/core/clock.ts";
import { nameOf } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { href, setSearch } from "@/core/router.ts";
import { themeVersion, tokenColor } from "@/core/theme.ts";
import { asRead, unitAsRead } from "@/core/units.ts";
import { formatMoment, formatNumber } from "@/core/words.ts";
import type { Scenario, ScenarioState, ScenarioValue } from "@/core/types.ts";

/** By twin: the colour of its shell. */
export type Shells = ReadonlyMap<string, string>;

export interface GhostView {
  shells: Shells;
  note: { title: string; time: number; lines: string[] } | null;
  scenarios: Scenario[];
}

const STEP_MS = 60_000;
const MOST_LINES = 6;
const NONE: Shells = new Map();
/** Of what is shown: the page is made anew with the minute, and not with the second. */
const minute = computed(() => Math.floor((moment.value ?? wall.value) / STEP_MS) * STEP_MS);

/** Beyond its own band away from the plant left alone. */
export function differs({ scenario, baseline, low, high }: ScenarioValue): boolean {
  if (scenario === null || baseline === null || low === null || high === null) return false;
  return baseline < low || baseline > high;
}

export function shellsOf(values: readonly ScenarioValue[], property: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const one of values) {
    if (property && one.property !== property) continue;
    if (differs(one)) found.set(one.twin, "s2");
    else if (!found.has(one.twin)) found.set(one.twin, "s6");
  }
  return found;
}

export function useGhost(chosen: string, by: string): GhostView {
  const listed = useResource("scenarios for the ghost", (abort) => get<{ value: Scenario[] }>("/scenarios", abort));
  const scenarios = (listed.data?.value ?? []).filter((one) => one.result);
  const one = scenarios.find((other) => other.id === chosen);
  const asked = minute.value;
  const state = useResource(one?.result ? `ghost ${one.id} ${one.result.run} ${asked}` : null, (abort) => get<ScenarioState>(`/scenarios/${encodeURIComponent(chosen)}/state${query({ at: asked })}`, abort));
  const property = by.startsWith("property:") ? by.slice(9) : "";
  const colours = themeVersion.value;
  const shells = useMemo(() => (state.data ? new Map([...shellsOf(state.data.values, property)].map(([twin, token]) => [twin, tokenColor(token)])) : NONE), [state.data, property, colours]);
  const lines = (state.data?.values ?? [])
    .filter((said) => differs(said) && (!property || said.property === property))
    .slice(0, MOST_LINES)
    .map((said) => `${nameOf(said.twin)} ${said.property}: ${formatNumber(asRead(said.baseline!, said.unit))} → ${formatNumber(asRead(said.scenario!, said.unit))} ${unitAsRead(said.unit)}`);
  return { shells, scenarios, note: one && state.data ? { title: one.title || one.id, time: state.data.time, lines } : null };
}

export function GhostPicker({ chosen, view }: { chosen: string; view: GhostView }) {
  if (!view.scenarios.length) return null;
  return (
    <select class="input property-picker" aria-label="Ghost of a scenario" data-testid="ghost" value={chosen} onChange={(event) => setSearch({ ghost: event.currentTarget.value || null })}>
      <option value="">No ghost</option>
      {view.scenarios.map((one) => (
        <option key={one.id} value={one.id}>
          Ghost: {one.title || one.id}
        </option>
      ))}
    </select>
  );
}

export function GhostNote({ chosen, view }: { chosen: string; view: GhostView }) {
  const { note } = view;
  if (!note) return null;
  return (
    <div class="tool-card ghost-note" role="status" data-testid="ghost-note">
      <strong>
        <a class="link" href={href("what-if", chosen)}>
          {note.title}
        </a>
      </strong>
      <span class="meta">simulated, {formatMoment(note.time, serverNow())}</span>
      {note.lines.map((line) => (
        <span key={line}>{line}</span>
      ))}
      <span class="meta">
        <i class="ghost-swatch s2" aria-hidden="true" /> differs beyond its band <i class="ghost-swatch s6" aria-hidden="true" /> as left alone
      </span>
    </div>
  );
}
