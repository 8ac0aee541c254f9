/** The plant as of the moment that the clock shows: values, states and alarms, fetched when the clock moves. */

import { effect, signal } from "@preact/signals";
import { showValues, type Reading } from "@/live/client.ts";
import { isOpen, pastAlarms } from "./alarms.ts";
import { get, query } from "./api.ts";
import { forecastSpan, mode, moment, serverNow } from "./clock.ts";
import { pastStatus } from "./plant.ts";
import type { Alarm, Page, State, TwinStatus } from "./types.ts";

const HOUR = 3_600_000;
const FORECAST = 12 * HOUR;
const EVERY = 250;

/** What went wrong with the last moment, to be told beside the clock. */
export const pastError = signal("");
let isAsking = false;
let wanted: number | null = null;
let alarms: { list: Alarm[]; at: number } = { list: [], at: 0 };

export function startPast(): void {
  effect(() => {
    wanted = moment.value;
    if (wanted === null) forget();
    else void ask();
  });
  void lookForForecasts();
}

function forget(): void {
  pastError.value = "";
  showValues(null);
  pastStatus.value = null;
  pastAlarms.value = null;
}

/** One question at a time; the answer that is shown is always the newest that was asked for. */
async function ask(): Promise<void> {
  if (isAsking) return;
  isAsking = true;
  try {
    for (let at = wanted; at !== null && at !== undefined; at = wanted === at ? null : wanted) {
      await show(at);
      await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
  } finally {
    isAsking = false;
  }
}

async function show(at: number): Promise<void> {
  try {
    const asked = mode.peek() === "forecast" ? ["predicted"] : ["derived", "measured"]; // what was measured counts
    const [list, ...states] = await Promise.all([allAlarms(), ...asked.map((provenance) => get<State>(`/state${query({ at: String(at), provenance })}`))]);
    if (wanted === null) return;
    const values = new Map<string, Reading>();
    const status = new Map<string, TwinStatus>();
    for (const [twin, found] of states.flatMap((state) => Object.entries(state.twins))) {
      status.set(twin, found.status);
      for (const [path, [value, time, quality]] of Object.entries(found.values)) values.set(`${twin}\n${path}`, { value, time, quality, period: 0 });
    }
    showValues(values);
    pastStatus.value = status;
    pastAlarms.value = alarmsAt(list, at);
    pastError.value = "";
  } catch (error) {
    pastError.value = error instanceof Error ? error.message : String(error);
  }
}

async function allAlarms(): Promise<Alarm[]> {
  if (serverNow() - alarms.at < 10_000) return alarms.list;
  const page = await get<Page<Alarm>>("/alarms?state=all&limit=5000");
  alarms = { list: page.value, at: serverNow() };
  return page.value;
}

/** The alarms that were open then, in the state they had then. */
export function alarmsAt(list: Alarm[], at: number): ReadonlyMap<string, Alarm> {
  const found = new Map<string, Alarm>();
  const was = (time: string | null): boolean => time !== null && Date.parse(time) <= at;
  for (const alarm of list) {
    if (!was(alarm.raised)) continue;
    const [isCleared, isSeen] = [was(alarm.cleared), was(alarm.acknowledged)];
    const state = isCleared ? (isSeen ? "normal" : "returned") : isSeen ? "acknowledged" : "unacknowledged";
    const then: Alarm = { ...alarm, state, isActive: !isCleared, cleared: isCleared ? alarm.cleared : null };
    if (isOpen(then)) found.set(alarm.id, then);
  }
  return found;
}

async function lookForForecasts(): Promise<void> {
  try {
    const state = await get<State>(`/state${query({ at: String(serverNow() + FORECAST), provenance: "predicted" })}`);
    const newest = Math.max(0, ...Object.values(state.twins).flatMap((twin) => Object.values(twin.values).map((one) => one[1])));
    forecastSpan.value = Math.max(0, Math.min(FORECAST, newest - serverNow()));
  } catch {
    // No forecast: the slider ends at now.
  }
}
