/** A wall shows the page by itself: `?kiosk=1` hides every control, enlarges what is read, and goes from page to page. */

import { computed, effect } from "@preact/signals";
import { go, href, place } from "./router.ts";
import { isRoute, type RouteName } from "./routes.ts";

export const isKiosk = computed(() => place.value.search.get("kiosk") === "1");

const PAGES: RouteName[] = ["overview", "plant", "alarms"];
const SECONDS = 30;

/** `&pages=overview,alarms`: which, in which order. */
export function pagesOf(text: string | null): RouteName[] {
  const named = (text ?? "").split(",").filter(isRoute);
  return named.length ? named : PAGES;
}

/** `&every=20`: seconds a page stays, 5 to 3600. */
export function secondsOf(text: string | null): number {
  const asked = Number(text);
  return Number.isFinite(asked) && asked >= 5 ? Math.min(3600, asked) : SECONDS;
}

function next(): void {
  const { search, route } = place.peek();
  const pages = pagesOf(search.get("pages"));
  const to = pages[(pages.indexOf(route as RouteName) + 1) % pages.length]!;
  const kept: Record<string, string | null> = {};
  for (const name of ["kiosk", "pages", "every"]) kept[name] = search.get(name);
  if (to !== route) go(href(to, "", kept), { replace: true });
}

/** One timer, begun anew with each page; the address is replaced, so that no history grows. */
export function startKiosk(): void {
  let timer = 0;
  effect(() => {
    clearInterval(timer);
    document.documentElement.classList.toggle("kiosk", isKiosk.value);
    if (isKiosk.value) timer = setInterval(next, secondsOf(place.value.search.get("every")) * 1000) as unknown as number;
  });
}
