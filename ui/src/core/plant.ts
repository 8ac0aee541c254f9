/** All twins in short form, for the tree, the scene and the palette; the table asks the server instead. */

import { batch, computed, signal } from "@preact/signals";
import { get, query } from "./api.ts";
import { on } from "@/live/client.ts";
import { sortedByName } from "./naming.ts";
import type { Page, TwinRow, TwinStatus } from "./types.ts";

const LIMIT = 5000;
const FIRST = 500;

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

const fetchRows = (limit: number, cursor: string | null): Promise<Page<TwinRow>> => get<Page<TwinRow>>(`/twins${query({ limit, cursor })}`);

/** Of more twins than are kept the first page is enough to begin with; the others follow a page at a time, so that
 * nobody waits behind them. */
export async function loadTwins(): Promise<void> {
  const newer = new Map<string, TwinStatus>();
  const number = ++asked;
  told.add(newer);
  try {
    let page = await fetchRows(FIRST, null);
    const found = page.value;
    const isMore = page.total > LIMIT;
    if (isMore && number === asked) {
      rowsMissing.value = page.total - LIMIT; // the tree need not wait for the rest
      if (!rowsLoaded.peek()) show(found, newer);
    }
    while (page.cursor && found.length < LIMIT && number === asked) {
      page = await fetchRows(isMore ? FIRST : LIMIT, page.cursor);
      found.push(...page.value);
    }
    if (number !== asked) return; // a later question is under way
    show(found, newer);
    rowsMissing.value = Math.max(0, page.total - found.length);
  } catch (error) {
    rowsError.value = error as Error;
  } finally {
    told.delete(newer);
  }
}

function show(list: TwinRow[], newer: ReadonlyMap<string, TwinStatus>): void {
  batch(() => {
    rowsNow.value = new Map(
      list.map((row) => {
        const status = newer.get(row.id);
        return [row.id, status ? { ...row, status } : row];
      }),
    );
    rowsError.value = null;
    rowsLoaded.value = true;
  });
}

export function nameOf(twin: string): string {
  return rows.value.get(twin)?.name || twin;
}

/** Twins above one that are shown where it stands in the plant. */
export const DEEPEST = 4;

/** A twin and those that contain it, asked of the server where they were not fetched. */
export async function lineTo(twin: string, abort: AbortSignal): Promise<TwinRow[]> {
  const line: TwinRow[] = [];
  for (let at: string | null = twin; at && line.length <= DEEPEST && !line.some((row) => row.id === at); at = line[0]!.parent)
    line.unshift(rows.peek().get(at) ?? (await get<TwinRow>(`/twins/${encodeURIComponent(at)}`, abort)));
  return line;
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
  for (const [parent, list] of found) found.set(parent, sortedByName(list.sort(), nameIn)); // of one name, by id
  return found;
});

const nameIn = (id: string): string => rows.value.get(id)?.name || id;

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
