/**
 * Keeps the page itself on the device: the shell comes from the cache at once, its files by their hashed names.
 * Answers of the API never pass through here; the page keeps those that it may show again (core/saved.ts).
 * BUILD and SHELL are filled in when the page is built.
 */
const BUILD = "__BUILD__";
const SHELL = ["__SHELL__"];
const CACHE = `gemel-${BUILD}`;
const INDEX = "/app/index.html";

addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([INDEX, ...SHELL])));
});

addEventListener("activate", (event) => {
  const others = (names) => names.filter((name) => name.startsWith("gemel-") && name !== CACHE);
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(others(names).map((name) => caches.delete(name))))
      .then(() => clients.claim()),
  );
});

/** The page asks for the new one when its reader says so, never in the middle of something. */
addEventListener("message", (event) => {
  if (event.data === "take over") void skipWaiting();
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate") {
    if (url.pathname.startsWith("/t/")) event.respondWith(throughOr(request, () => Response.redirect(`/app/twins/${url.pathname.slice(3)}`)));
    else if (url.pathname.startsWith("/app/")) event.respondWith(kept(INDEX, request));
  } else if (url.pathname.startsWith("/app/")) event.respondWith(kept(url.pathname, request));
});

async function throughOr(request, otherwise) {
  try {
    return await fetch(request);
  } catch {
    return otherwise();
  }
}

/** From the cache; else from the server, and kept when its name says that it never changes. */
async function kept(key, request) {
  const cache = await caches.open(CACHE);
  const found = await cache.match(key);
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok && key.startsWith("/app/assets/")) await cache.put(key, answer.clone());
  return answer;
}
