/**
 * The workspace that is shown, its undo, and what all of its charts share: the window and the cursor. Kept outside of
 * components; the address follows when the hand rests.
 */

import { computed, effect, signal } from "@preact/signals";
import { moment, serverNow, tick } from "@/core/clock.ts";
import { place, setSearch } from "@/core/router.ts";
import { bounded, moved, readWorkspace, writeWorkspace, zoomed, type Panel, type Tag, type Workspace } from "./workspace.ts";

const REST = 250;
const MOST_UNDO = 100;

export const shown = signal<Workspace>(readWorkspace(place.peek().search));
/** The moment (ms) that the pointer or the keys are at, in all charts. */
export const cursor = signal<number | null>(null);
/** What dragging over a chart does. */
export const tool = signal<"zoom" | "select">("zoom");

const undone = signal<Workspace[]>([]);
const done = signal<Workspace[]>([]);
export const canUndo = computed(() => done.value.length > 0);
export const canRedo = computed(() => undone.value.length > 0);

let written = "";
let timer = 0;
let before: Workspace | null = null;
let isHeld = false;

const asText = (workspace: Workspace): string => JSON.stringify(writeWorkspace(workspace));

/** Shows something else; what follows within a moment (a turn of the wheel) is undone with it. */
export function change(next: Partial<Workspace>): void {
  before ??= shown.peek();
  shown.value = { ...shown.peek(), ...next };
  clearTimeout(timer);
  if (!isHeld) timer = setTimeout(settle, REST) as unknown as number;
}

/** While a pointer holds a chart all changes are one step, however long it rests. */
export function hold(held: boolean): void {
  isHeld = held;
  clearTimeout(timer);
  if (!held && before) settle();
}

/** The address takes the workspace over, and undo a step. */
export function settle(): void {
  clearTimeout(timer);
  if (before && asText(before) !== asText(shown.peek())) {
    done.value = [...done.peek(), before].slice(-MOST_UNDO);
    undone.value = [];
  }
  before = null;
  write();
}

function write(): void {
  written = asText(shown.peek());
  if (place.peek().route === "trends") setSearch(writeWorkspace(shown.peek()));
}

export function undo(): void {
  settle();
  step(done, undone);
}

export const redo = (): void => step(undone, done);

function step(from: typeof done, to: typeof done): void {
  const last = from.peek()[from.peek().length - 1];
  if (!last) return;
  from.value = from.peek().slice(0, -1);
  to.value = [...to.peek(), shown.peek()];
  shown.value = last;
  write();
}

/** While the page is mounted: an address that was opened becomes the workspace. */
export function followAddress(): () => void {
  written = asText(shown.peek());
  const stop = effect(() => {
    if (place.value.route !== "trends") return;
    const next = readWorkspace(place.value.search);
    if (asText(next) === written || before) return;
    written = asText(next);
    shown.value = next;
  });
  return () => {
    settle();
    stop();
  };
}

// ---- the window --------------------------------------------------------------------------------

/** The edges (ms) that are shown now. */
export function edges(workspace: Workspace = shown.peek()): [number, number] {
  if (Array.isArray(workspace.window)) return workspace.window;
  const end = moment.peek() ?? serverNow();
  return [end - workspace.window * 1000, end + workspace.ahead * 1000];
}

/** As `edges`, followed by components: it moves with the clock once a second. */
export const shownEdges = computed<[number, number]>(() => {
  void tick.value;
  return edges(shown.value);
});

export function zoom(factor: number, about = cursor.peek() ?? middle()): void {
  change({ window: zoomed(edges(), about, factor) });
}

const middle = (): number => (edges()[0] + edges()[1]) / 2;

/** By so many widths of the window. */
export function pan(widths: number): void {
  const now = edges();
  change({ window: moved(now, (now[1] - now[0]) * widths) });
}

export const look = (from: number, to: number): void => change({ window: bounded(from, to) });

// ---- panels ------------------------------------------------------------------------------------

export function changePanel(index: number, next: Partial<Panel>): void {
  change({ panels: shown.peek().panels.map((one, i) => (i === index ? { ...one, ...next } : one)) });
}

export function setTags(index: number, tags: Tag[]): void {
  if (tags.length) changePanel(index, { tags });
  else removePanel(index);
}

export const removePanel = (index: number): void => change({ panels: shown.peek().panels.filter((_one, i) => i !== index) });
