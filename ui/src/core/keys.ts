/** Keyboard: one listener, layered. The top layer hears Esc first; single keys rest while typing. */

import { computed } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { kept } from "./kept.ts";
import { ROUTES } from "./routes.ts";

export interface Shortcut {
  keys: string;
  words: string;
  group: string;
}

export const SHORTCUTS: Shortcut[] = [
  { group: "Everywhere", keys: "Ctrl K", words: "Find a twin, an alarm or an action" },
  ...ROUTES.map((one) => ({ group: "Everywhere", keys: `g ${one.letter}`, words: one.words })),
  { group: "Everywhere", keys: "?", words: "This list" },
  { group: "Everywhere", keys: "Esc", words: "Close the top layer" },
  { group: "Alarms", keys: "j k", words: "Next, previous alarm" },
  { group: "Alarms", keys: "a", words: "Acknowledge" },
  { group: "Alarms", keys: "s", words: "Shelve, with a reason" },
  { group: "Alarms", keys: "x", words: "Select, for one act on many" },
  { group: "Alarms", keys: "c", words: "Comment" },
  { group: "Alarms", keys: "Enter", words: "Open the details" },
  { group: "Commands", keys: "j k", words: "Next, previous command" },
  { group: "Commands", keys: "a", words: "Approve" },
  { group: "Commands", keys: "n", words: "Ask for a command" },
  { group: "Trends", keys: "[ ]", words: "A window back, ahead" },
  { group: "Trends", keys: "+ −", words: "Look closer, wider" },
  { group: "Trends", keys: "0", words: "Back to now" },
  { group: "Trends", keys: "← →", words: "Move the cursor, on a chart; with Shift select" },
  { group: "Trends", keys: "u", words: "Undo; U redo" },
  { group: "Trends", keys: "n", words: "A new chart" },
  { group: "Plant in 3D", keys: "arrows", words: "Turn the view" },
  { group: "Plant in 3D", keys: "+ −", words: "Closer, further" },
  { group: "Plant in 3D", keys: "f h", words: "Look at the selection, at everything" },
  { group: "Plant in 3D", keys: "n p", words: "Next, previous abnormal twin" },
  { group: "Plant in 3D", keys: "Space", words: "Play the past, pause" },
  { group: "Plant in 3D", keys: "L", words: "Back to live" },
];

const mode = kept<"on" | "off">("gemel.keys", "on", (text) => text === "off");
/** Whether keys without Ctrl or Alt are shortcuts (WCAG 2.1.4). */
export const singleKeys = computed(() => mode.value === "on");

export function setSingleKeys(on: boolean): void {
  mode.value = on ? "on" : "off";
}

/** Single keys that a person may put elsewhere, with what they do; the key of an entry is the one of the table. */
export const MOVABLE: ReadonlyMap<string, string> = movable();

function movable(): Map<string, string> {
  const found = new Map<string, string>();
  const add = (key: string, words: string): void => {
    if (key.length === 1) found.set(key, found.has(key) ? `${found.get(key)}; ${words}` : words);
  };
  for (const { keys, words, group } of SHORTCUTS) {
    const singles = keys.split(" ");
    if (singles[0] === "g") continue;
    const parts = words.split(", ");
    singles.forEach((key, i) => add(key.toLowerCase(), `${group}: ${parts.length === singles.length ? parts[i]!.toLowerCase() : words}`));
  }
  add("g", "Everywhere: go to a page, with its letter");
  return found;
}

const movedText = kept<string>("gemel.moved", "", () => true);
/** Key of the table to the key that stands for it. */
export const moved = computed<ReadonlyMap<string, string>>(() => {
  const pairs = movedText.value.split(" ").filter((pair) => pair.length === 3 && pair[1] === ":");
  return new Map(pairs.map((pair) => [pair[0]!, pair[2]!]));
});

/** The key to press for what the table calls `key`. */
export const keyFor = (key: string): string => moved.value.get(key.toLowerCase()) ?? key;

/** Puts a shortcut on another key; returns why not, or "". */
export function moveKey(key: string, to: string): string {
  const now = to.toLowerCase();
  if (now.length !== 1 || /[\s:]/.test(now)) return "One letter, figure or sign.";
  for (const [other, words] of MOVABLE) if (other !== key && keyFor(other) === now) return `${now} is taken: ${words}.`;
  const next = new Map(moved.peek());
  if (now === key) next.delete(key);
  else next.set(key, now);
  movedText.value = [...next].map(([from, at]) => `${from}:${at}`).join(" ");
  return "";
}

export function resetKeys(): void {
  movedText.value = "";
}

/** What a pressed key stands for: nothing, where another key has taken its place. */
function meant(pressed: string): string {
  const key = pressed.toLowerCase();
  for (const [of, at] of moved.peek()) if (at === key) return of;
  return moved.peek().has(key) ? "" : pressed;
}

/** True: the key was used. "stop": no layer below hears it, and the browser does what it always does. */
type Handler = (event: KeyboardEvent) => boolean | "stop";
const layers: Handler[] = [];

export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null;
  return Boolean(target?.closest?.("input, textarea, select, [contenteditable=true]"));
}

/** Handlers read the key of the table, whatever was pressed for it. */
function translate(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.key.length !== 1 || isTyping(event)) return;
  const key = meant(event.key);
  if (key !== event.key) Object.defineProperty(event, "key", { value: key });
}

export function startKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented) return;
    translate(event);
    for (let i = layers.length - 1; i >= 0; i--) {
      const answer = layers[i]!(event);
      if (answer === true) event.preventDefault();
      if (answer) return;
    }
  });
}

/** Hears keys while mounted; return true when the key was used. Later mounted layers hear first. */
export function useKeys(handler: Handler): void {
  const latest = useRef(handler);
  latest.current = handler;
  useLayoutEffect(() => {
    const layer: Handler = (event) => latest.current(event);
    layers.push(layer);
    return () => {
      layers.splice(layers.indexOf(layer), 1);
    };
  }, []);
}

/** Esc closes this layer, and no other key reaches the layers below, save Ctrl K. */
export function useModal(close: () => void): void {
  useKeys((event) => {
    if (event.key === "Escape") {
      close();
      return true;
    }
    return event.ctrlKey || event.metaKey ? false : "stop";
  });
}
