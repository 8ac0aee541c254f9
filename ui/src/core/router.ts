/** The address is the state: `/app/<route>/<id>?tab=...`. Links work with and without the keyboard. */

import { computed, signal } from "@preact/signals";
import { isRoute, type RouteName } from "./routes.ts";

export const BASE = "/app/";

export interface Place {
  route: RouteName | "unknown";
  id: string;
  search: URLSearchParams;
}

const address = signal(location.pathname + location.search);

export function parse(path: string): Place {
  const url = new URL(path, "http://page.invalid");
  const inside = url.pathname.startsWith(BASE) ? url.pathname.slice(BASE.length) : url.pathname.slice(1);
  const cut = inside.indexOf("/");
  const head = cut < 0 ? inside : inside.slice(0, cut);
  const id = cut < 0 ? "" : safeDecode(inside.slice(cut + 1));
  const known = head === "" || head === "app" || head === "login" ? "overview" : head;
  return { route: isRoute(known) ? known : "unknown", id, search: url.searchParams };
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const place = computed(() => parse(address.value));

export function href(route: RouteName, id = "", search: Record<string, string | null | undefined> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) if (value) parameters.set(name, value);
  const tail = parameters.toString();
  return BASE + route + (id ? `/${encodeURIComponent(id)}` : "") + (tail ? `?${tail}` : "");
}

export function go(to: string, options: { replace?: boolean } = {}): void {
  if (to === address.value) return;
  if (options.replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  address.value = to;
}

/** Changes some search parameters and keeps the rest; "" or null removes one. */
export function setSearch(values: Record<string, string | null>, replace = true): void {
  const search = new URLSearchParams(place.value.search);
  for (const [name, value] of Object.entries(values)) {
    if (value) search.set(name, value);
    else search.delete(name);
  }
  const tail = search.toString();
  go(location.pathname + (tail ? `?${tail}` : ""), { replace });
}

export function startRouter(): void {
  addEventListener("popstate", () => {
    address.value = location.pathname + location.search;
  });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.("a[href]");
    if (!(link instanceof HTMLAnchorElement) || link.target || link.origin !== location.origin) return;
    if (!link.pathname.startsWith(BASE)) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
