/** System, dark or light, remembered; colours for canvases are read from the same tokens. */

import { signal } from "@preact/signals";

export type Theme = "system" | "dark" | "light";
const KEY = "gemel.theme";

function remembered(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "dark" || value === "light" ? value : "system";
  } catch {
    return "system";
  }
}

export const theme = signal<Theme>(remembered());
/** Grows each time the colours change, so that canvases redraw. */
export const themeVersion = signal(0);

export function setTheme(next: Theme): void {
  theme.value = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Private windows may refuse; the choice then lasts as long as the page.
  }
  apply();
}

function apply(): void {
  document.documentElement.dataset["theme"] = theme.value;
  themeVersion.value += 1;
}

export function startTheme(): void {
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
}

let probe: HTMLElement | null = null;

/** The colour of a token as the browser resolves it now, e.g. `rgb(108, 169, 232)`. */
export function tokenColor(name: string): string {
  if (!probe) {
    probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

export const reducedMotion = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;
