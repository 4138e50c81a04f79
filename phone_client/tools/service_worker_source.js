/**
 * Keeps the page's own files, so that what is on this device opens without a network. Never anything else: answers of
 * the server belong to the moment they were given.
 *
 * The build fills in the version and the list of files. Names in /assets/ hold a digest of their content, so a kept one
 * is never stale; the page itself comes from the network where there is one, so that nobody runs yesterday's.
 */
const VERSION = "__VERSION__";
/** Kept from the start. */
const FILES = __FILES__;
/** Too large for that: kept once somebody has used them. */
const LARGE_FILES = __LARGE_FILES__;
const CACHE = `cellstorm-page-${VERSION}`;
const LARGE_CACHE = "cellstorm-page-large";
const NETWORK_MS = 3000;

addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)));
});

addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers());
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== location.origin || request.method !== "GET") return;
  if (pathname === "/") event.respondWith(newestPage(request));
  else if (FILES.includes(pathname)) event.respondWith(kept(request));
  else if (LARGE_FILES.includes(pathname) && !request.headers.has("range")) event.respondWith(keptOnceUsed(request));
});

/** @param {Request} request */
async function newestPage(request) {
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(NETWORK_MS) });
    if (answer.ok) return answer;
  } catch {
    // No network, or none worth waiting for.
  }
  return await kept(new Request("/"));
}

/** @param {Request} request */
async function kept(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request, { ignoreSearch: true })) ?? (await fetch(request));
}

/** @param {Request} request */
async function keptOnceUsed(request) {
  const cache = await caches.open(LARGE_CACHE);
  const known = await cache.match(request);
  if (known !== undefined) return known;
  const answer = await fetch(request);
  if (answer.status === 200) await cache.put(request, answer.clone());
  return answer;
}

/** Earlier versions, and large files that this one does not use. */
async function forgetOthers() {
  const names = (await caches.keys()).filter((name) => name.startsWith("cellstorm-page-"));
  await Promise.all(names.filter((name) => name !== CACHE && name !== LARGE_CACHE).map((name) => caches.delete(name)));
  const large = await caches.open(LARGE_CACHE);
  const requests = await large.keys();
  const unused = requests.filter((request) => !LARGE_FILES.includes(new URL(request.url).pathname));
  await Promise.all(unused.map((request) => large.delete(request)));
}
