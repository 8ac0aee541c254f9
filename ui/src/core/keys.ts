/** Keyboard: one listener, layered. The top layer hears Esc first; single keys rest while typing. */

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
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

export const singleKeys = signal(read());

function read(): boolean {
  try {
    return localStorage.getItem("gemel.keys") !== "off";
  } catch {
    return true;
  }
}

export function setSingleKeys(on: boolean): void {
  singleKeys.value = on;
  try {
    localStorage.setItem("gemel.keys", on ? "on" : "off");
  } catch {
    // Lasts as long as the page.
  }
}

/** True: the key was used. "stop": no layer below hears it, and the browser does what it always does. */
type Handler = (event: KeyboardEvent) => boolean | "stop";
const layers: Handler[] = [];

export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null;
  return Boolean(target?.closest?.("input, textarea, select, [contenteditable=true]"));
}

export function startKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented) return;
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
