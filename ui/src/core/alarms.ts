/** The alarms that are open: fetched once, kept by the live stream, fetched again after a break. */

import { computed, signal } from "@preact/signals";
import { get, post } from "./api.ts";
import { on } from "@/live/client.ts";
import type { Alarm, Page } from "./types.ts";

const openNow = signal<ReadonlyMap<string, Alarm>>(new Map());
/** Those that were open at the moment the clock shows; null is now. */
export const pastAlarms = signal<ReadonlyMap<string, Alarm> | null>(null);
export const openAlarms = computed(() => pastAlarms.value ?? openNow.value);
export const alarmsError = signal<Error | null>(null);
export const alarmsLoaded = signal(false);
/** Newest version of alarms that are over, so that a detail on screen follows them too. */
export const lastAlarm = signal<Alarm | null>(null);

export function isOpen(alarm: Alarm): boolean {
  return alarm.state !== "normal";
}

const WEIGHT: Record<string, number> = { unacknowledged: 0, returned: 1, acknowledged: 2, normal: 3 };

/** Most urgent first: active before returned, then priority, then what nobody has seen, then the newest. */
export function byUrgency(a: Alarm, b: Alarm): number {
  return (
    Number(b.isActive) - Number(a.isActive) ||
    a.priority - b.priority ||
    (WEIGHT[a.state] ?? 9) - (WEIGHT[b.state] ?? 9) ||
    b.raised.localeCompare(a.raised)
  );
}

export const rankedAlarms = computed(() => [...openAlarms.value.values()].sort(byUrgency));

export const counts = computed(() => {
  const byPriority: Record<number, number> = { 1: 0, 2: 0, 3: 0, 4: 0 };
  let unacknowledged = 0;
  for (const alarm of openAlarms.value.values()) {
    byPriority[alarm.priority] = (byPriority[alarm.priority] ?? 0) + 1;
    if (needsAck(alarm)) unacknowledged += 1;
  }
  return { byPriority, unacknowledged, total: openAlarms.value.size };
});

/** The most urgent priority of each twin with an active alarm. */
export const priorityOfTwin = computed(() => {
  const found = new Map<string, number>();
  for (const alarm of openAlarms.value.values()) {
    if (alarm.isActive) found.set(alarm.twin, Math.min(found.get(alarm.twin) ?? 9, alarm.priority));
  }
  return found;
});

export function needsAck(alarm: Alarm): boolean {
  return alarm.state === "unacknowledged" || alarm.state === "returned";
}

export async function loadAlarms(): Promise<void> {
  try {
    const page = await get<Page<Alarm>>("/alarms?state=active&limit=1000");
    openNow.value = new Map(page.value.filter(isOpen).map((alarm) => [alarm.id, alarm]));
    alarmsError.value = null;
    alarmsLoaded.value = true;
  } catch (error) {
    alarmsError.value = error as Error;
  }
}

export function takeAlarm(alarm: Alarm): void {
  const next = new Map(openNow.value);
  if (isOpen(alarm)) next.set(alarm.id, alarm);
  else next.delete(alarm.id);
  openNow.value = next;
  lastAlarm.value = alarm;
}

export async function acknowledge(id: string, comment = ""): Promise<void> {
  adopt(await post<Alarm | undefined>(`/alarms/${encodeURIComponent(id)}/acknowledge`, { comment }));
}

export async function comment(id: string, text: string): Promise<void> {
  adopt(await post<Alarm | undefined>(`/alarms/${encodeURIComponent(id)}/comment`, { comment: text }));
}

export async function clearByHand(id: string, text: string): Promise<void> {
  adopt(await post<Alarm | undefined>(`/alarms/${encodeURIComponent(id)}/clear`, { comment: text }));
}

function adopt(alarm: Alarm | undefined): void {
  if (alarm && typeof alarm === "object" && "id" in alarm && "state" in alarm) takeAlarm(alarm);
  else void loadAlarms();
}

const spoken = signal("");
export const announcement = spoken;
let waiting: Alarm[] = [];
let speakTimer = 0;

/** New critical and high alarms become one sentence per 5 s for screen readers. */
function announce(alarm: Alarm): void {
  if (alarm.priority > 2 || alarm.state !== "unacknowledged" || openNow.peek().has(alarm.id)) return;
  waiting.push(alarm);
  if (speakTimer) return;
  speakTimer = setTimeout(() => {
    const first = [...waiting].sort(byUrgency)[0];
    const count = waiting.length;
    waiting = [];
    speakTimer = 0;
    if (first) spoken.value = count === 1 ? `New alarm: ${first.twinName} ${first.title}` : `${count} new alarms, highest: ${first.twinName} ${first.title}`;
  }, 5000) as unknown as number;
}

export function startAlarms(): void {
  on("alarm", (alarm) => {
    announce(alarm);
    takeAlarm(alarm);
  });
}
