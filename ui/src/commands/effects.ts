/** What a command would do, as a scenario of its own: named after the command, so that its result can be held against it. */

import { get, post, put } from "@/core/api.ts";
import type { Behaviour, Command, Json, Scenario, ScenarioAsked, ScenarioLines, Twin } from "@/core/types.ts";

const HOURS = 1;
const MOST_FIGURES = 6;
const ASK_AGAIN = 400;
/** Nearer than this share, two values are the same to a person. */
const ROUNDED = 0.005;

/** The property that a command sets in a model of its twin, and what that model then computes. */
export interface Handle {
  property: string;
  outputs: string[];
}

export function handleOf(behaviours: readonly Behaviour[], twin: string, command: string): Handle | null {
  for (const one of behaviours) {
    const property = one.of.includes(twin) && Object.entries(one.commands ?? {}).find(([, name]) => name === command)?.[0];
    if (property) return { property, outputs: Object.keys(one.outputs).filter((path) => path !== property) };
  }
  return null;
}

const EFFECT = "effect-";
export const effectId = (command: string): string => EFFECT + command;
/** Made for one command and not kept since: it stands with that command. */
export const isEffect = (scenario: Scenario): boolean => scenario.id.startsWith(EFFECT) && !scenario.kept;

/** The scenario in which nothing but this command is different. */
export function askedFor(twin: Twin, words: string, handle: Handle, value: number): Partial<ScenarioAsked> {
  const known = new Map(twin.properties.map((one) => [one.path, one.displayName || one.path]));
  const figures = handle.outputs.filter((path) => known.has(path)).slice(0, MOST_FIGURES);
  return {
    title: `Effect of ${words}`,
    twins: [twin.id],
    hours: HOURS,
    changes: [{ twin: twin.id, property: handle.property, value }],
    ...(figures.length && { kpis: figures.map((property) => ({ id: property.replace(/\W+/g, "-"), title: known.get(property)!, twin: twin.id, property, of: "end" })) }),
  };
}

const path = (id: string): string => `/scenarios/${encodeURIComponent(id)}`;

/** Runs it and waits for its end, however long it takes; tells how far it is. */
export async function simulate(id: string, asked: Partial<ScenarioAsked>, tell: (progress: number) => void, abort: AbortSignal): Promise<Scenario> {
  await put(path(id), asked);
  let found = await post<Scenario>(`${path(id)}/run`);
  while (found.run && (found.run.state === "queued" || found.run.state === "running")) {
    tell(found.run.progress);
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN));
    found = await get<Scenario>(path(id), abort);
  }
  if (found.run?.state !== "succeeded") throw new Error(found.run?.error || `The simulation was ${found.run?.state ?? "lost"}`);
  return found;
}

/** The scenario that told what a command would do: its own, or the one that it was asked from. */
export function effectOf(command: Command, scenarios: readonly Scenario[]): Scenario | null {
  const origin = /^what-if '(.+)', run /.exec(command.steps[0]?.note ?? "")?.[1];
  return scenarios.find((one) => one.result && (one.id === effectId(command.id) || one.id === origin)) ?? null;
}

/** The latest moment that was simulated and has been measured since. */
export interface Met {
  time: number;
  mean: number;
  low: number | null;
  high: number | null;
  measured: number;
  isInside: boolean;
}

export function latestMet(times: readonly number[], line: ScenarioLines, since: number): Met | null {
  for (let i = times.length - 1; i >= 0 && times[i]! >= since; i--) {
    const [measured, mean] = [line.measured[i] ?? null, line.scenario.mean[i] ?? null];
    if (measured === null || mean === null) continue;
    const [low, high] = [line.scenario.low[i] ?? null, line.scenario.high[i] ?? null];
    const room = ROUNDED * Math.abs(mean); // a band may be narrower than what is worth telling apart
    return { time: times[i]!, mean, low, high, measured, isInside: measured >= (low ?? mean) - room && measured <= (high ?? mean) + room };
  }
  return null;
}

/** The number that a command asks for; null where it asks for something else. */
export const numberAsked = (value: Json): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);
