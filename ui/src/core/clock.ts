/** The server's clock as far as the page knows it, and one tick a second for everything that ages. */

import { signal } from "@preact/signals";

let offset = 0;

export function serverTimeIs(ms: number): void {
  offset = ms - Date.now();
}

export function serverNow(): number {
  return Date.now() + offset;
}

/** Server time in ms, renewed once a second. */
export const tick = signal(Date.now());

export function startClock(): void {
  setInterval(() => {
    tick.value = serverNow();
  }, 1000);
}
