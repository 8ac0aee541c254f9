/** Asking for scenarios, and words for what they say. */

import { signal } from "@preact/signals";
import { get, post, put, query, remove } from "@/core/api.ts";
import { asRead, spreadAsRead } from "@/core/units.ts";
import { formatNumber } from "@/core/words.ts";
import type { Band, Behaviour, Promotion, RunState, Scenario, ScenarioAsked, ScenarioSeries, ScenariosCompared, Swept } from "@/core/types.ts";

/** Grows with every change made here: what was fetched is fetched again. */
export const version = signal(0);

const path = (id: string): string => `/scenarios/${encodeURIComponent(id)}`;

export const loadScenarios = async (abort?: AbortSignal): Promise<Scenario[]> => (await get<{ value: Scenario[] }>("/scenarios", abort)).value;
export const loadBehaviours = async (abort?: AbortSignal): Promise<Behaviour[]> => (await get<{ value: Behaviour[] }>("/behaviours", abort)).value;
export const loadCompared = (id: string, others: string[], abort?: AbortSignal): Promise<ScenariosCompared> => get<ScenariosCompared>(`${path(id)}/compare${query({ with: others.join(",") })}`, abort);
export const loadSeries = (id: string, name: string, abort?: AbortSignal): Promise<ScenarioSeries> => get<ScenarioSeries>(`${path(id)}/series${query({ series: name })}`, abort);
export const loadSwept = async (id: string, abort?: AbortSignal): Promise<Swept | null> => (await get<{ sweep: Swept | null }>(`${path(id)}/result`, abort)).sweep;

async function changing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } finally {
    version.value += 1;
  }
}

export const save = (id: string, asked: Partial<ScenarioAsked>): Promise<Scenario> => changing(put<Scenario>(path(id), asked));
export const start = (id: string): Promise<Scenario> => changing(post<Scenario>(`${path(id)}/run`));
export const cancel = (run: string): Promise<unknown> => changing(post(`/runs/${encodeURIComponent(run)}/cancel`));
export const drop = (id: string): Promise<void> => changing(remove(path(id)));
export const keep = (id: string): Promise<{ provenance: string; series: number }> => changing(post(`${path(id)}/keep`));
export const promote = (id: string, isDry: boolean): Promise<Promotion> => post<Promotion>(`${path(id)}/promote`, { dryRun: isDry });

export const isUnderWay = (run: RunState | null): boolean => run !== null && (run.state === "queued" || run.state === "running");

/** What a scenario asks, without what came of it. */
export function askedOf(one: Scenario): ScenarioAsked {
  const { title, about, twins, follow, at, hours, step, members, seed, boundary, span, changes, kpis, sweep } = one;
  return { title, about, twins, follow, at, hours, step, members, seed, boundary, span, changes, kpis, sweep };
}

export function freshId(title: string, taken: ReadonlySet<string>): string {
  const base = title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 48) || "scenario";
  if (!taken.has(base)) return base;
  let count = 2;
  while (taken.has(`${base}-${count}`)) count += 1;
  return `${base}-${count}`;
}

// Figures in the unit that they are read in; what is asked and stored stays in the model's.
const signedNumber = (value: number): string => `${value > 0 ? "+" : ""}${formatNumber(value)}`;
export const number = (value: number | null, unit = ""): string => (value === null ? "—" : formatNumber(asRead(value, unit)));
/** Differences and errors: where the scale begins does not matter. */
export const spread = (value: number | null, unit = ""): string => (value === null ? "—" : formatNumber(spreadAsRead(value, unit)));
export const signed = (value: number | null, unit = ""): string => (value === null ? "—" : signedNumber(spreadAsRead(value, unit)));
export const range = (band: Band, unit = ""): string => (band.low === null || band.high === null ? "" : `${number(band.low, unit)} to ${number(band.high, unit)}`);
export const signedRange = (band: Band, unit = ""): string => (band.low === null || band.high === null ? "" : `${signed(band.low, unit)} to ${signed(band.high, unit)}`);
export const percent = (share: number): string => `${formatNumber(share * 100, 0)} %`;

/** Whether a difference is towards the good end; null where no end is. */
export function isBetter(best: string, mean: number | null): boolean | null {
  if (!best || mean === null || mean === 0) return null;
  return best === "low" ? mean < 0 : mean > 0;
}

/** Colours of lines by their place among the scenarios compared. */
export const colour = (place: number): string => `s${[1, 2, 3, 4][place % 4]}`;

export function stateWords(one: Scenario): string {
  if (one.run && one.run.state !== "succeeded") return one.run.state === "running" ? `running, ${Math.round(one.run.progress * 100)} %` : one.run.state;
  return one.result ? "done" : "not run";
}
