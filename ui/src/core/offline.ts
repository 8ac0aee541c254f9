/**
 * The page without a network. Reads that may be shown later are kept as they come (`keeps`), and given back with their age when
 * the server cannot be reached. The heavy part (IndexedDB) is loaded when it is first needed.
 */

import { signal } from "@preact/signals";

/** When the oldest of the answers that are shown was saved (ms); null while everything comes from the server. */
export const shownSince = signal<number | null>(null);
/** How many notes, photos and ticks wait to be sent. */
export const waitingCount = signal(0);

const load = () => import("./saved.ts");
/** Only where the page itself survives a reload. */
export const canKeep = (): boolean => typeof indexedDB !== "undefined" && isSecureContext;

const KEEPS = /^\/(me|status|roles|scene|kpis|alarms(\?|\/groups|$)|twins(\?|$)|twins\/[^/]+$|work-orders(\?|$)|attachments\?|history\?)/;
/** The rest of a long list is not kept: what is first in it is. */
export const keeps = (path: string): boolean => canKeep() && KEEPS.test(path) && !path.includes("cursor=");

/** Spans of a chart move on with each second: kept under what is asked for, not under when. */
export function keyOf(path: string): string {
  const [place = "", search] = path.split("?");
  if (place !== "/history" || !search) return path;
  const parameters = new URLSearchParams(search);
  for (const name of ["from", "to", "px"]) parameters.delete(name);
  return `${place}?${parameters}`;
}

export function keepAnswer(path: string, body: unknown): void {
  void load()
    .then((saved) => saved.keepAnswer(keyOf(path), body))
    .catch(() => undefined); // a full disk, or a private window: it is shown now and not kept
}

/** What was kept of a path; undefined when there is nothing. */
export async function keptAnswer(path: string): Promise<unknown> {
  try {
    const found = await (await load()).keptAnswer(keyOf(path));
    if (!found) return undefined;
    shownSince.value = Math.min(shownSince.peek() ?? found.saved, found.saved);
    return found.body;
  } catch {
    return undefined;
  }
}

export function online(): void {
  shownSince.value = null;
}

export async function forgetAll(): Promise<void> {
  waitingCount.value = 0;
  shownSince.value = null;
  if (canKeep()) await (await load()).wipe();
}

let registration: ServiceWorkerRegistration | null = null;
/** A newer page waits until its reader takes it. */
export const isNewer = signal(false);

let isStarted = false;

export function startOffline(): void {
  if (isStarted || !canKeep() || !("serviceWorker" in navigator) || import.meta.env.DEV) return;
  isStarted = true;
  const register = async (): Promise<void> => {
    try {
      registration = await navigator.serviceWorker.register("/app/sw.js", { scope: "/" });
      const look = (): void => {
        isNewer.value = Boolean(registration?.waiting && navigator.serviceWorker.controller);
      };
      look();
      registration.addEventListener("updatefound", () => registration?.installing?.addEventListener("statechange", look));
    } catch {
      // The page works without; it is just not there when the server is not.
    }
  };
  if (document.readyState === "complete") void register();
  else addEventListener("load", () => void register());
}

export function takeNewer(): void {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload());
  registration?.waiting?.postMessage("take over");
}
