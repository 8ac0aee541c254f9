/**
 * One clock for the whole page: live, replay or forecast. 3D, lists, charts and alarms read `tick`; the moment is in the
 * address (`?t=`), so that a link shows what its sender saw.
 */

import { computed, effect, signal } from "@preact/signals";
import { place, setSearch } from "./router.ts";

let offset = 0;

export function serverTimeIs(ms: number): void {
  offset = ms - Date.now();
}

export function serverNow(): number {
  return Date.now() + offset;
}

/** The server's clock (ms), renewed once a second, whatever moment is shown. */
export const wall = signal(Date.now());
/** The moment that is shown (ms); null is now, and goes on. */
export const moment = signal<number | null>(null);
/** The time of everything on the screen. */
export const tick = computed(() => moment.value ?? wall.value);
export const mode = computed<"live" | "replay" | "forecast">(() => (moment.value === null ? "live" : moment.value > wall.value ? "forecast" : "replay"));
export const isPlaying = signal(false);
/** Seconds of the plant in a second of the reader. */
export const playSpeed = signal(60);
export const SPEEDS = [1, 10, 60, 600];
/** How far the forecast reaches (ms); 0 while the plant has none. */
export const forecastSpan = signal(0);

const FRAME = 250;

export function goLive(): void {
  isPlaying.value = false;
  moment.value = null;
}

/** Shows a moment; one that lies beyond the forecast is now. */
export function goTo(ms: number): void {
  if (!Number.isFinite(ms)) return;
  const isBeyond = ms > wall.peek() && ms > wall.peek() + forecastSpan.peek() - 1000;
  if (isBeyond) goLive();
  else moment.value = Math.round(ms);
}

export function stepBy(seconds: number): void {
  isPlaying.value = false;
  goTo((moment.peek() ?? wall.peek()) + seconds * 1000);
}

/** From live it starts an hour ago; there is nothing to play ahead of now. */
export function togglePlay(): void {
  if (moment.peek() === null) goTo(wall.peek() - 3_600_000);
  isPlaying.value = !isPlaying.value;
}

export function parseMoment(text: string | null): number | null {
  if (!text) return null;
  const ms = /^\d{12,14}$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isFinite(ms) ? ms : null;
}

const asText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

export function startClock(): void {
  setInterval(() => {
    wall.value = serverNow();
  }, 1000);
  setInterval(() => {
    if (isPlaying.peek() && moment.peek() !== null) goTo(moment.peek()! + FRAME * playSpeed.peek());
  }, FRAME);
  followAddress();
}

/** The address follows the clock when it rests, and the clock an address that was opened. */
function followAddress(): void {
  let written = "";
  effect(() => {
    const text = place.value.search.get("t") ?? "";
    const asked = parseMoment(text);
    if (text && text !== written && asked !== null) {
      written = text;
      moment.value = asked;
    }
  });
  effect(() => {
    const text = moment.value === null ? "" : asText(moment.value);
    if (isPlaying.value || (place.value.search.get("t") ?? "") === text) return;
    written = text;
    setSearch({ t: text || null });
  });
}
