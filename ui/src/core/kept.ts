/** What a person chose on this device: kept by the browser, gone with a private window. */

import { effect, signal, type Signal } from "@preact/signals";

export function readKept(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function keep(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Private windows may refuse; the choice then lasts as long as the page.
  }
}

/** A signal whose value outlives the page; what was kept and is not understood is `otherwise`. */
export function kept<T extends string>(key: string, otherwise: T, isValid: (text: string) => boolean): Signal<T> {
  const found = readKept(key);
  const made = signal<T>(found !== null && isValid(found) ? (found as T) : otherwise);
  effect(() => {
    const now = made.value;
    if (now !== (readKept(key) ?? otherwise)) keep(key, now === otherwise ? null : now);
  });
  return made;
}
