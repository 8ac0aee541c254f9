/** The alarms that are open: fetched once, kept by the live stream, fetched again after a break. */

import { batch, computed, signal } from "@preact/signals";
import { get, post } from "./api.ts";
import { on } from "@/live/client.ts";
import type { Alarm, AlarmGroup, Page } from "./types.ts";

const openNow = signal<ReadonlyMap<string, Alarm>>(new Map());
/** Those that were open at the moment the clock shows; null is now. */
export const pastAlarms = signal<ReadonlyMap<string, Alarm> | null>(null);
export const openAlarms = computed(() => pastAlarms.value ?? openNow.value);
export const alarmsError = signal<Error | null>(null);
export const alarmsLoaded = signal(false);
/** Newest version of alarms that are over, so that a detail on screen follows them too. */
export const lastAlarm = signal<Alarm | null>(null);

/** Shelved, suppressed by design, out of service: nobody is told of them. */
export const heldBack = signal<ReadonlyMap<string, Alarm>>(new Map());
/** Alarms of one cause, by group. */
export const groups = signal<ReadonlyMap<string, AlarmGroup>>(new Map());

export function isOpen(alarm: Alarm): boolean {
  return alarm.state === "unacknowledged" || alarm.state === "acknowledged" || alarm.state === "returned";
}

export function isHeldBack(alarm: Alarm): boolean {
  return alarm.state !== "normal" && !isOpen(alarm);
}

/** The group that an alarm belongs to now, groups that became part of others followed. */
export function groupOf(alarm: Alarm, known: ReadonlyMap<string, AlarmGroup>): AlarmGroup | undefined {
  let found = alarm.group ? known.get(alarm.group) : undefined;
  for (let steps = 0; found?.into && steps < 100; steps++) found = known.get(found.into) ?? found;
  return found;
}

const STALE_MS = 24 * 3600_000;
const CHATTER_MS = 600_000;

export function isStale(alarm: Alarm, now: number): boolean {
  return alarm.isActive && now - Date.parse(alarm.lastRaised) > STALE_MS;
}

export function isChattering(alarm: Alarm, now: number): boolean {
  return alarm.chattered !== null && now - Date.parse(alarm.chattered) <= CHATTER_MS;
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
    const [page, together] = await Promise.all([get<Page<Alarm>>("/alarms?state=open&limit=10000"), get<Page<AlarmGroup>>("/alarms/groups?limit=500")]);
    batch(() => {
      openNow.value = new Map(page.value.filter(isOpen).map((alarm) => [alarm.id, alarm]));
      heldBack.value = new Map(page.value.filter(isHeldBack).map((alarm) => [alarm.id, alarm]));
      groups.value = new Map(together.value.map((group) => [group.id, group]));
      alarmsError.value = null;
      alarmsLoaded.value = true;
    });
  } catch (error) {
    alarmsError.value = error as Error;
  }
}

export function takeAlarm(alarm: Alarm): void {
  takeAlarms([alarm]);
}

/** Many at once cost one look of the page: a flood must not hold it up. */
export function takeAlarms(list: Alarm[]): void {
  const open = new Map(openNow.value);
  const held = new Map(heldBack.value);
  for (const alarm of list) {
    open.delete(alarm.id);
    held.delete(alarm.id);
    if (isOpen(alarm)) open.set(alarm.id, alarm);
    else if (isHeldBack(alarm)) held.set(alarm.id, alarm);
  }
  batch(() => {
    openNow.value = open;
    heldBack.value = held;
    lastAlarm.value = list[list.length - 1] ?? null;
  });
}

export type Act = "acknowledge" | "unacknowledge" | "shelve" | "unshelve" | "out-of-service" | "return-to-service" | "comment" | "clear";
const REASONED: ReadonlySet<Act> = new Set<Act>(["unacknowledge", "shelve", "out-of-service"]);

/** One act on one alarm or on many; what was refused comes back in words. */
export async function act(what: Act, ids: string[], text: string, seconds = 0): Promise<string[]> {
  if (ids.length === 1) {
    const body: Record<string, unknown> = { [REASONED.has(what) ? "reason" : "comment"]: text };
    if (what === "shelve") body["seconds"] = seconds;
    adopt(await post<Alarm | undefined>(`/alarms/${encodeURIComponent(ids[0]!)}/${what}`, body));
    return [];
  }
  const answer = await post<Page<{ id: string; code?: string; message?: string }>>("/alarms/acts", { act: what, ids, text, seconds });
  return answer.value.filter((one) => one.code).map((one) => one.message ?? one.code ?? "");
}

export async function acknowledge(id: string, comment = ""): Promise<void> {
  await act("acknowledge", [id], comment);
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

const TOGETHER_MS = 50;
let arrived: Alarm[] = [];
let arrivedGroups: AlarmGroup[] = [];
let takeTimer = 0;

function takeSoon(): void {
  takeTimer ||= setTimeout(() => {
    const [list, together] = [arrived, arrivedGroups];
    [arrived, arrivedGroups, takeTimer] = [[], [], 0];
    batch(() => {
      if (together.length) groups.value = new Map([...groups.value, ...together.map((group) => [group.id, group] as const)]);
      if (list.length) takeAlarms(list);
    });
  }, TOGETHER_MS) as unknown as number;
}

export function startAlarms(): void {
  on("alarm", (alarm) => {
    announce(alarm);
    arrived.push(alarm);
    takeSoon();
  });
  on("alarmGroup", (group) => {
    arrivedGroups.push(group);
    takeSoon();
  });
}
