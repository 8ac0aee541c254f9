/** What colours mean in the scene: by alarm, state, health, fidelity, or the value of any property. */

import { priorityOfTwin } from "@/core/alarms.ts";
import { rows } from "@/core/plant.ts";
import { tokenColor } from "@/core/theme.ts";
import { unitOf } from "@/core/path-units.ts";
import { asRead, unitAsRead } from "@/core/units.ts";
import { formatNumber } from "@/core/words.ts";
import { peek } from "@/live/client.ts";

export type Layer = "machines" | "scenery" | "buildings" | "sensors" | "pipes" | "zones" | "labels";
export const LAYERS: [Layer, string][] = [
  ["machines", "Machines"],
  ["buildings", "Buildings and rooms"],
  ["scenery", "Scenery"],
  ["sensors", "Sensors"],
  ["pipes", "Pipes"],
  ["zones", "Zones"],
  ["labels", "Labels"],
];

export interface Look {
  /** `alarm`, `state`, `health`, `fidelity`, or `property:` and its path. */
  by: string;
  hidden: ReadonlySet<Layer>;
  /** Shares of the plant's extent: [x from, x to, y from, y to, z from, z to]. */
  section: number[] | null;
}

export const ALARM_LOOK: Look = { by: "alarm", hidden: new Set(), section: null };
export const HEALTH_PATHS = ["health", "healthIndex", "health.score"];
export const FIDELITY_PATHS = ["fidelity", "modelFit", "fidelity.score"];

export interface Paint {
  color: string;
  isFaded: boolean;
}

/** Its ends are in the unit that values are read in. */
export interface Scale {
  low: number;
  high: number;
  /** How many twins have a value. */
  count: number;
  /** Low values are the bad ones (health), and take the strong colour. */
  isBadLow: boolean;
}

export type Legend = { kind: "scale"; words: string; unit: string; scale: Scale | null } | { kind: "list"; lines: { color: string; words: string; count: number }[] };

function pathsOf(by: string): string[] {
  if (by === "health") return HEALTH_PATHS;
  if (by === "fidelity") return FIDELITY_PATHS;
  return by.startsWith("property:") ? [by.slice(9)] : [];
}

const unitBy = (by: string): string => (by.startsWith("property:") ? unitOf(by.slice(9)) : "");

/** The value that gives a twin its colour, in the unit that it is read in. */
export function valueOf(by: string, twin: string): number | null {
  for (const path of pathsOf(by)) {
    const reading = peek(twin, path);
    if (reading && reading.quality < 128 && typeof reading.value === "number" && Number.isFinite(reading.value)) return asRead(reading.value, unitBy(by));
    if (reading && typeof reading.value === "boolean") return Number(reading.value);
  }
  return null;
}

export function scaleOf(by: string, twins: Iterable<string>): Scale | null {
  let [low, high, count] = [Infinity, -Infinity, 0];
  for (const twin of twins) {
    const value = valueOf(by, twin);
    if (value === null) continue;
    [low, high, count] = [Math.min(low, value), Math.max(high, value), count + 1];
  }
  if (!count) return null;
  const isBadLow = by === "health" || by === "fidelity";
  if (isBadLow) [low, high] = [0, high > 1.5 ? 100 : 1];
  else if (low < high) [low, high] = rounded(low, high);
  return { low, high, count, isBadLow };
}

/** Ends that a person can read, and that do not change with every value. */
function rounded(low: number, high: number): [number, number] {
  const step = 10 ** Math.floor(Math.log10(Math.max(high - low, Math.abs(high) * 0.05, 1e-6)));
  return [Math.floor(low / step) * step, Math.ceil(high / step) * step];
}

const PRIORITY_TOKENS = ["body3d", "p1", "p2", "p3", "p4"];
const STATE_TOKENS: Record<string, string> = { live: "body3d", stale: "s2", offline: "s5", never: "s6" };
const STATES: [string, string][] = [["live", "Live"], ["stale", "Stale"], ["offline", "Offline"], ["never", "Never heard of"]];

/** A part without a place of its own colours the nearest twin that contains it and has one. */
export function shownPriorities(placed: ReadonlySet<string>): Map<string, number> {
  const found = new Map<string, number>();
  for (const [twin, priority] of priorityOfTwin.value) {
    let at: string | null | undefined = twin;
    for (let steps = 0; at && !placed.has(at) && steps < 20; steps++) at = rows.value.get(at)?.parent;
    if (at && placed.has(at)) found.set(at, Math.min(found.get(at) ?? 9, priority));
  }
  return found;
}

/** How each twin is painted now. `shown` maps a twin to the priority that its thing shows. */
export function painter(look: Look, shown: ReadonlyMap<string, number>, twins: Iterable<string>): (twin: string, property?: string) => Paint {
  const body = tokenColor("body3d");
  if (look.by === "alarm") {
    const colors = PRIORITY_TOKENS.map(tokenColor);
    return (twin) => {
      const priority = shown.get(twin) ?? 0;
      return { color: colors[priority] ?? body, isFaded: !priority && isGone(twin) };
    };
  }
  if (look.by === "state") {
    const colors = new Map(Object.entries(STATE_TOKENS).map(([state, token]) => [state, tokenColor(token)]));
    return (twin) => ({ color: colors.get(rows.value.get(twin)?.status ?? "") ?? body, isFaded: rows.value.get(twin)?.status === "never" });
  }
  const scale = scaleOf(look.by, twins);
  const ends = rampEnds(scale?.isBadLow ?? false);
  return (twin) => {
    const value = scale && twin ? valueOf(look.by, twin) : null;
    if (value === null || !scale) return { color: body, isFaded: Boolean(twin) };
    return { color: mix(ends[0], ends[1], share(value, scale)), isFaded: false };
  };
}

const share = (value: number, { low, high }: Scale): number => Math.max(0, Math.min(1, (value - low) / (high - low || 1)));

export function rampEnds(isBadLow: boolean): [string, string] {
  return isBadLow ? [tokenColor("s2"), tokenColor("body3d")] : [tokenColor("ramp0"), tokenColor("ramp1")];
}

function isGone(twin: string): boolean {
  const status = rows.value.get(twin)?.status;
  return Boolean(twin) && (status === "stale" || status === "offline" || status === "never");
}

function mix(from: string, to: string, part: number): string {
  const [a, b] = [numbers(from), numbers(to)];
  return `rgb(${a.map((one, i) => Math.round(one + ((b[i] ?? 0) - one) * part)).join(", ")})`;
}

const numbers = (color: string): number[] => (color.match(/[\d.]+/g) ?? ["128", "128", "128"]).slice(0, 3).map(Number);

/** What the colours on the screen mean, in words and numbers. */
export function legendOf(by: string, twins: string[]): Legend {
  if (by === "alarm") {
    const counts = [0, 0, 0, 0, 0];
    const shown = shownPriorities(new Set(twins));
    for (const twin of twins) counts[shown.get(twin) ?? 0]!++;
    const words = ["No alarm", "1 Critical", "2 High", "3 Medium", "4 Low"];
    return { kind: "list", lines: [1, 2, 3, 4, 0].map((priority) => ({ color: `var(--${PRIORITY_TOKENS[priority]})`, words: words[priority]!, count: counts[priority]! })) };
  }
  if (by === "state") {
    return { kind: "list", lines: STATES.map(([state, words]) => ({ color: `var(--${STATE_TOKENS[state]})`, words, count: twins.filter((twin) => rows.value.get(twin)?.status === state).length })) };
  }
  return { kind: "scale", words: by.replace(/^property:/, ""), unit: unitAsRead(unitBy(by)), scale: scaleOf(by, twins) };
}

export function wordsFor(by: string, twin: string): string {
  const value = valueOf(by, twin);
  return value === null ? "" : `${formatNumber(value)} ${unitAsRead(unitBy(by))}`.trim();
}
