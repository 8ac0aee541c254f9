/**
 * The alarms that are open: fetched once, kept by the live stream, fetched again after a break. Of very many only the
 * most urgent are fetched at first; the rest as far as the list is looked at, and the server counts them.
 */

import { batch, computed, signal } from "@preact/signals";
import { get, post, query } from "./api.ts";
import { on, status } from "@/live/client.ts";
import type { Alarm, AlarmActed, AlarmGroup, Page } from "./types.ts";

/** Labels in a picture of the plant at once. */
export const MOST_LABELS = 30;

/** In a question, and how many are fetched without being looked at. */
const PAGE = 500;
const FETCHED = 5000;

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

/** As the server sorts: active before returned, then priority, then what nobody has seen, then the newest. */
export function byUrgency(a: Alarm, b: Alarm): number {
  return (
    Number(b.isActive) - Number(a.isActive) ||
    a.priority - b.priority ||
    Number(a.state !== "unacknowledged") - Number(b.state !== "unacknowledged") ||
    later(a.lastRaised.slice(0, 19), b.lastRaised.slice(0, 19)) ||
    later(a.id, b.id)
  );
}

const later = (a: string, b: string): number => (a < b ? 1 : a > b ? -1 : 0);

/** Always in order: what changes is put in its place, so that a flood does not sort ten thousand again and again. */
const rankedNow = signal<readonly Alarm[]>([]);
export const rankedAlarms = computed<readonly Alarm[]>(() => (pastAlarms.value ? [...pastAlarms.value.values()].sort(byUrgency) : rankedNow.value));
/** Twins of the most urgent alarms: what a picture of the plant can name at once. */
export const labelledTwins = computed<readonly string[]>(() => rankedAlarms.value.slice(0, MOST_LABELS).map((alarm) => alarm.twin));
/** Where the rest of the list begins; null when all that is open is here. */
const rest = signal<string | null>(null);
export const isWhole = computed(() => pastAlarms.value !== null || rest.value === null);

/** A sorted list without some, and with others in their places. */
export function merged(list: readonly Alarm[], without: ReadonlySet<string>, more: Alarm[]): Alarm[] {
  more.sort(byUrgency);
  const found: Alarm[] = [];
  let at = 0;
  for (const one of list) {
    if (without.has(one.id)) continue;
    while (at < more.length && byUrgency(more[at]!, one) < 0) found.push(more[at++]!);
    found.push(one);
  }
  while (at < more.length) found.push(more[at++]!);
  return found;
}

export const counts = computed(() => {
  const byPriority: Record<number, number> = { 1: 0, 2: 0, 3: 0, 4: 0 };
  const told = isWhole.value ? null : status.value?.alarms;
  if (told) {
    for (const priority of ["1", "2", "3", "4"] as const) byPriority[Number(priority)] = told[priority] + told.returned[priority];
    return { byPriority, unacknowledged: told.unacknowledged, total: Object.values(byPriority).reduce((sum, one) => sum + one, 0) };
  }
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

/** What the live stream told while something was fetched is newer than the answer. */
let heard: Map<string, Alarm> | null = null;
let asked = 0;

/** The first page is shown at once where nothing is; else what is there stays until all is renewed. */
export async function loadAlarms(): Promise<void> {
  const number = ++asked;
  heard = new Map();
  try {
    const [held, together, page] = await Promise.all([get<Page<Alarm>>("/alarms?state=held-back&limit=10000"), get<Page<AlarmGroup>>("/alarms/groups?limit=500"), fetchPage(null)]);
    const found = [...page.value];
    let { cursor } = page;
    const show = (): void =>
      batch(() => {
        if (number !== asked) return;
        setOpen(found);
        rest.value = cursor;
        heldBack.value = new Map(held.value.map((alarm) => [alarm.id, alarm]));
        groups.value = new Map(together.value.map((group) => [group.id, group]));
        put([...(heard?.values() ?? [])]);
        alarmsError.value = null;
        alarmsLoaded.value = true;
      });
    if (!alarmsLoaded.peek()) show();
    while (cursor && found.length < FETCHED && number === asked) {
      const next: Page<Alarm> = await fetchPage(cursor);
      found.push(...next.value);
      cursor = next.cursor;
    }
    show();
  } catch (error) {
    if (number === asked) alarmsError.value = error as Error;
  } finally {
    if (number === asked) heard = null;
  }
}

const fetchPage = (cursor: string | null): Promise<Page<Alarm>> => get<Page<Alarm>>(`/alarms${query({ limit: PAGE, cursor })}`);

let isFetching = false;

/** One page more of those that are not here yet. */
export async function loadMore(): Promise<void> {
  const [cursor, number] = [rest.peek(), asked];
  if (cursor === null || isFetching || heard) return;
  isFetching = true;
  heard = new Map();
  try {
    const page = await fetchPage(cursor);
    if (number !== asked) return;
    batch(() => {
      put(page.value.filter((one) => !heard?.has(one.id)));
      rest.value = page.cursor;
    });
  } catch (error) {
    alarmsError.value = error as Error;
  } finally {
    if (number === asked) heard = null;
    isFetching = false;
  }
}

function setOpen(list: Alarm[]): void {
  openNow.value = new Map(list.map((alarm) => [alarm.id, alarm]));
  rankedNow.value = [...openNow.value.values()].sort(byUrgency);
}

export function takeAlarm(alarm: Alarm): void {
  takeAlarms([alarm]);
}

/** Many at once cost one look of the page: a flood must not hold it up. */
export function takeAlarms(list: Alarm[]): void {
  if (list.length === 0) return;
  batch(() => {
    put(list);
    lastAlarm.value = list[list.length - 1] ?? null;
  });
}

function put(list: Alarm[]): void {
  const open = new Map(openNow.value);
  const held = new Map(heldBack.value);
  const [changed, more] = [new Map(list.map((alarm) => [alarm.id, alarm])), [] as Alarm[]];
  for (const alarm of changed.values()) {
    open.delete(alarm.id);
    held.delete(alarm.id);
    if (isOpen(alarm)) {
      open.set(alarm.id, alarm);
      more.push(alarm);
    } else if (isHeldBack(alarm)) held.set(alarm.id, alarm);
  }
  const ranked = merged(rankedNow.value, new Set(changed.keys()), more);
  batch(() => {
    openNow.value = open;
    rankedNow.value = ranked;
    heldBack.value = held;
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
  const answer = await post<{ value: AlarmActed[] }>("/alarms/acts", { act: what, ids, text, seconds });
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
/** With very many in the list a look costs more, so there are fewer. */
const MANY = 1000;
const TOGETHER_MANY_MS = 250;
let arrived: Alarm[] = [];
let arrivedGroups: AlarmGroup[] = [];
let takeTimer = 0;

function takeSoon(): void {
  takeTimer ||= setTimeout(() => {
    const [list, together] = [arrived, arrivedGroups];
    [arrived, arrivedGroups, takeTimer] = [[], [], 0];
    batch(() => {
      if (together.length) groups.value = new Map([...groups.value, ...together.map((group) => [group.id, group] as const)]);
      takeAlarms(list);
    });
  }, openNow.peek().size > MANY ? TOGETHER_MANY_MS : TOGETHER_MS) as unknown as number;
}

export function startAlarms(): void {
  on("alarm", (alarm) => {
    announce(alarm);
    heard?.set(alarm.id, alarm);
    arrived.push(alarm);
    takeSoon();
  });
  on("alarmGroup", (group) => {
    arrivedGroups.push(group);
    takeSoon();
  });
}
