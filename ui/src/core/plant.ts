/** All twins in short form, for the tree, the scene and the palette; the table asks the server instead. */

import { computed, signal } from "@preact/signals";
import { get, query } from "./api.ts";
import { on } from "@/live/client.ts";
import type { Page, TwinRow, TwinStatus } from "./types.ts";

const LIMIT = 5000;

const rowsNow = signal<ReadonlyMap<string, TwinRow>>(new Map());
/** The status of each twin at the moment the clock shows; null is now. */
export const pastStatus = signal<ReadonlyMap<string, TwinStatus> | null>(null);
export const rows = computed<ReadonlyMap<string, TwinRow>>(() => {
  const past = pastStatus.value;
  if (!past) return rowsNow.value;
  return new Map([...rowsNow.value].map(([id, row]) => [id, { ...row, status: past.get(id) ?? "never" }]));
});
export const rowsError = signal<Error | null>(null);
export const rowsLoaded = signal(false);
/** How many twins exist beyond those that were fetched. */
export const rowsMissing = signal(0);

/** For each fetch under way: what the live stream told meanwhile, which is newer than the answer. */
const told = new Set<Map<string, TwinStatus>>();
let asked = 0;
let answered = 0;

export async function loadTwins(): Promise<void> {
  const newer = new Map<string, TwinStatus>();
  const number = ++asked;
  told.add(newer);
  try {
    const found = new Map<string, TwinRow>();
    let cursor: string | null = null;
    let total = 0;
    do {
      const page: Page<TwinRow> = await get<Page<TwinRow>>(`/twins${query({ limit: LIMIT, cursor })}`);
      for (const row of page.value) found.set(row.id, row);
      total = page.total;
      if (total > LIMIT) rowsMissing.value = total - LIMIT; // the tree need not wait for the rest
      cursor = page.cursor;
    } while (cursor && found.size < LIMIT);
    if (number < answered) return; // a later question was answered before
    answered = number;
    for (const [id, status] of newer) {
      const row = found.get(id);
      if (row) found.set(id, { ...row, status });
    }
    rowsNow.value = found;
    rowsMissing.value = Math.max(0, total - found.size);
    rowsError.value = null;
    rowsLoaded.value = true;
  } catch (error) {
    rowsError.value = error as Error;
  } finally {
    told.delete(newer);
  }
}

export function nameOf(twin: string): string {
  return rows.value.get(twin)?.name || twin;
}

/** Twin ids by parent; the key "" holds those at the top. Sorted by name; a circle does not lose twins. */
export const children = computed(() => {
  const found = new Map<string, string[]>();
  for (const row of rows.value.values()) {
    const parent = row.parent && rows.value.has(row.parent) && row.parent !== row.id ? row.parent : "";
    const list = found.get(parent);
    if (list) list.push(row.id);
    else found.set(parent, [row.id]);
  }
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  for (const list of found.values()) list.sort((a, b) => compare(nameIn(a), nameIn(b)));
  return found;
});

const nameIn = (id: string): string => rows.value.get(id)?.name ?? id;

export function startPlant(): void {
  on("twin", (id, state) => {
    for (const newer of told) newer.set(id, state as TwinStatus);
    if (change(id, state as TwinStatus)) askAbove(id);
  });
}

/** False when it was so already. */
function change(id: string, status: TwinStatus): boolean {
  const row = rowsNow.value.get(id);
  if (!row || row.status === status) return false;
  const next = new Map(rowsNow.value);
  next.set(id, { ...row, status });
  rowsNow.value = next;
  return true;
}

const ASKED_ONE_BY_ONE = 10;
const above = new Set<string>();
let askTimer = 0;

/** What contains a twin can be as live as its parts: the server knows the rule, so it is asked. */
function askAbove(id: string): void {
  const met = new Set([id]);
  for (let at = rows.value.get(id)?.parent; at && !met.has(at); at = rows.value.get(at)?.parent) {
    met.add(at);
    above.add(at);
  }
  if (above.size === 0 || askTimer) return;
  askTimer = setTimeout(() => {
    askTimer = 0;
    const ids = [...above];
    above.clear();
    if (ids.length > ASKED_ONE_BY_ONE) void loadTwins();
    else for (const one of ids) void askOne(one);
  }, 300) as unknown as number;
}

async function askOne(id: string): Promise<void> {
  try {
    change(id, (await get<TwinRow>(`/twins/${encodeURIComponent(id)}`)).status);
  } catch {
    // The next change above it, or the next fetch of all, asks again.
  }
}
