/**
 * The plant as it contains itself, as lines of a tree that may be very long. A plant whose twins are all known is one
 * tree in memory; of a larger one, each branch is asked for, a page at a time, when it is opened or looked at.
 */

import { computed, signal } from "@preact/signals";
import { onLeave } from "@/core/api.ts";
import { get, query } from "@/core/api.ts";
import { priorityOfTwin } from "@/core/alarms.ts";
import { children, rows, rowsMissing } from "@/core/plant.ts";
import type { Page, TwinRow } from "@/core/types.ts";
import { PAGE } from "./pages.ts";

interface Branch {
  total: number;
  rows: Map<number, TwinRow>;
}

export interface Line {
  row: TwinRow | null;
  parent: string;
  index: number;
  depth: number;
  setSize: number;
}

interface Run {
  parent: string;
  depth: number;
  /** Its first line, and which of the parent's children that is. */
  at: number;
  from: number;
  count: number;
}

const asked = signal<ReadonlyMap<string, Branch>>(new Map());
const opened = signal<ReadonlySet<string>>(new Set());
const closed = signal<ReadonlySet<string>>(new Set());
export const branchError = signal<Error | null>(null);
onLeave.add(() => {
  asked.value = new Map();
  opened.value = new Set();
});

const isWhole = computed(() => rowsMissing.value === 0);

export const isOpenBranch = (id: string): boolean => (isWhole.value ? !closed.value.has(id) : opened.value.has(id));

function branchOf(parent: string): Branch | undefined {
  if (!isWhole.value) return asked.value.get(parent);
  const ids = children.value.get(parent) ?? [];
  return { total: ids.length, rows: new Map(ids.map((id, i) => [i, rows.value.get(id)!])) };
}

export const hasBranch = (row: TwinRow): boolean => (isWhole.value ? children.value.has(row.id) : row.contains > 0);

/** Stretches of children between those that are open: few, however many lines there are. */
const runs = computed(() => {
  const found: Run[] = [];
  let at = 0;
  const walk = (parent: string, depth: number, above: ReadonlySet<string>): void => {
    const branch = branchOf(parent);
    if (!branch) return;
    const open = [...branch.rows].filter(([, row]) => hasBranch(row) && isOpenBranch(row.id) && !above.has(row.id)).sort((a, b) => a[0] - b[0]);
    let from = 0;
    const put = (until: number): void => {
      if (until > from) found.push({ parent, depth, at, from, count: until - from });
      at += Math.max(0, until - from);
      from = until;
    };
    for (const [index, row] of open) {
      put(index + 1);
      walk(row.id, depth + 1, new Set(above).add(row.id));
    }
    put(branch.total);
  };
  walk("", 0, new Set());
  return { found, count: at };
});

export const lineCount = computed(() => runs.value.count);

export function lineAt(index: number): Line | null {
  const { found } = runs.value;
  let [low, high] = [0, found.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (found[middle]!.at <= index) low = middle + 1;
    else high = middle;
  }
  const run = found[low - 1];
  if (!run || index < run.at || index >= run.at + run.count) return null;
  const inside = run.from + index - run.at;
  const branch = branchOf(run.parent);
  return { row: branch?.rows.get(inside) ?? null, parent: run.parent, index: inside, depth: run.depth, setSize: branch?.total ?? 0 };
}

/** The line that a twin is on, if it is known. */
export function lineOf(id: string): number {
  for (const run of runs.value.found) {
    const branch = branchOf(run.parent);
    for (let i = run.from; i < run.from + run.count; i++) if (branch?.rows.get(i)?.id === id) return run.at + i - run.from;
  }
  return -1;
}

/** The most urgent priority of a twin and of all inside it. */
export const worstOf = computed<(row: TwinRow) => number | null>(() => {
  const own = priorityOfTwin.value;
  if (!isWhole.value) return (row) => lesser(own.get(row.id) ?? null, row.worst);
  const found = new Map(own);
  for (const [twin, priority] of own) {
    let above = rows.value.get(twin)?.parent;
    for (let steps = 0; above && steps < 20; steps++) {
      found.set(above, Math.min(found.get(above) ?? 9, priority));
      above = rows.value.get(above)?.parent;
    }
  }
  return (row) => found.get(row.id) ?? null;
});

const lesser = (a: number | null, b: number | null): number | null => (a === null ? b : b === null ? a : Math.min(a, b));

// ---- asking ------------------------------------------------------------------------------------

const underWay = new Set<string>();

/** Asks for the page of a branch in which a child is, by its place or its id. */
async function ask(parent: string, place: { offset: number } | { around: string }): Promise<void> {
  const question = query({ sort: "name", limit: PAGE, ...("offset" in place ? { offset: place.offset || null } : { around: place.around }) });
  const key = `${parent}\n${question}`;
  if (underWay.has(key)) return;
  underWay.add(key);
  try {
    const page = await get<Page<TwinRow>>(`/twins${question}&parent=${encodeURIComponent(parent)}`);
    const known = asked.peek().get(parent);
    const held = new Map(known?.total === page.total ? known.rows : []);
    page.value.forEach((row, i) => held.set(page.offset + i, row));
    asked.value = new Map(asked.peek()).set(parent, { total: page.total, rows: held });
    branchError.value = null;
  } catch (error) {
    branchError.value = error as Error;
  } finally {
    underWay.delete(key);
  }
}

export function lookAt(from: number, to: number): void {
  if (isWhole.peek()) return;
  if (!asked.peek().has("")) void ask("", { offset: 0 });
  for (let i = from; i <= to; i++) {
    const line = lineAt(i);
    if (line && !line.row) void ask(line.parent, { offset: Math.floor(line.index / PAGE) * PAGE });
  }
}

export function setOpen(id: string, isOpen: boolean): void {
  const kept = isWhole.peek() ? closed : opened;
  const next = new Set(kept.peek());
  if (isOpen === isWhole.peek()) next.delete(id);
  else next.add(id);
  kept.value = next;
  if (isOpen && !isWhole.peek() && !asked.peek().has(id)) void ask(id, { offset: 0 });
}

/** What was asked for is asked again, the open branches first: something in it has changed. */
export function renew(): void {
  if (isWhole.peek()) return;
  for (const [parent, branch] of asked.peek()) {
    if (parent && !opened.peek().has(parent)) continue;
    const pages = new Set([...branch.rows.keys()].map((i) => Math.floor(i / PAGE) * PAGE));
    for (const offset of [...pages].slice(-3)) void ask(parent, { offset });
  }
}

const DEEPEST = 20;

/** Opens what contains a twin, so that it has a line. */
export async function reveal(id: string): Promise<void> {
  if (!id || isWhole.peek() || lineOf(id) >= 0) return;
  const path = [id];
  try {
    for (let steps = 0; steps < DEEPEST; steps++) {
      const { parent } = await get<TwinRow>(`/twins/${encodeURIComponent(path[0]!)}`);
      if (!parent || path.includes(parent)) break;
      path.unshift(parent);
    }
  } catch {
    return; // the page of the twin says what is wrong with it
  }
  let above = "";
  for (const one of path) {
    await ask(above, { around: one });
    if (above) setOpen(above, true);
    above = one;
  }
}
