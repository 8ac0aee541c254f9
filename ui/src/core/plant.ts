/** All twins in short form, for the tree, the scene and the palette; the table asks the server instead. */

import { computed, signal } from "@preact/signals";
import { get, query } from "./api.ts";
import { on } from "@/live/client.ts";
import type { Page, TwinRow, TwinStatus } from "./types.ts";

const LIMIT = 5000;

export const rows = signal<ReadonlyMap<string, TwinRow>>(new Map());
export const rowsError = signal<Error | null>(null);
export const rowsLoaded = signal(false);
/** How many twins exist beyond those that were fetched. */
export const rowsMissing = signal(0);

export async function loadTwins(): Promise<void> {
  try {
    const found = new Map<string, TwinRow>();
    let cursor: string | null = null;
    let total = 0;
    do {
      const page: Page<TwinRow> = await get<Page<TwinRow>>(`/twins${query({ limit: 1000, cursor })}`);
      for (const row of page.value) found.set(row.id, row);
      total = page.total;
      cursor = page.cursor;
    } while (cursor && found.size < LIMIT);
    rows.value = found;
    rowsMissing.value = Math.max(0, total - found.size);
    rowsError.value = null;
    rowsLoaded.value = true;
  } catch (error) {
    rowsError.value = error as Error;
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
    const row = rows.value.get(id);
    if (!row || row.status === state) return;
    const next = new Map(rows.value);
    next.set(id, { ...row, status: state as TwinStatus });
    rows.value = next;
  });
}
