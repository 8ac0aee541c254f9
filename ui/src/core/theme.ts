/** System, dark or light, remembered; colours for canvases are read from the same tokens. */

import { effect, signal } from "@preact/signals";
import { kept } from "./kept.ts";

export type Theme = "system" | "dark" | "light";
export const theme = kept<Theme>("gemel.theme", "system", (text) => text === "dark" || text === "light");
/** "safe": priorities and series for eyes that tell few hues apart. */
export const colours = kept<"standard" | "safe">("gemel.colours", "standard", (text) => text === "safe");
/** Grows each time the colours change, so that canvases redraw. */
export const themeVersion = signal(0);

export function setTheme(next: Theme): void {
  theme.value = next;
}

function apply(): void {
  const { dataset } = document.documentElement;
  dataset["theme"] = theme.value;
  dataset["colours"] = colours.value;
  themeVersion.value = themeVersion.peek() + 1;
}

export function startTheme(): void {
  effect(apply);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
}

let probe: HTMLElement | null = null;

/** The colour of a token as the browser resolves it now, e.g. `rgb(108, 169, 232)`. */
export function tokenColor(name: string): string {
  if (!probe) {
    probe = document.createElement("span");
    probe.hidden = true;
    probe.style.setProperty("forced-color-adjust", "none");
    document.body.append(probe);
  }
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

export const reducedMotion = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;
