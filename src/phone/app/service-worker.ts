/*
 * Keeps the app's shell, so that it opens without a connection. Nothing of the protocol passes through here: calls are
 * POSTs, and those are left alone.
 */

/** The part of ServiceWorkerGlobalScope that is used; its types exclude those of the DOM. */
interface Worker {
  readonly registration: { readonly scope: string };
  addEventListener(type: 'install' | 'activate', listener: (event: { waitUntil(work: Promise<unknown>): void }) => void): void;
  addEventListener(type: 'fetch', listener: (event: { request: Request; respondWith(response: Promise<Response>): void; waitUntil(work: Promise<unknown>): void }) => void): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
}

const worker = self as unknown as Worker;
const CACHE = 'tandem-phone';
/** The app's page; its scope is exactly its path. */
const PAGE = worker.registration.scope;
const PATIENCE = 4000;

worker.addEventListener('install', (event) => event.waitUntil(keep().then(() => worker.skipWaiting())));
worker.addEventListener('activate', (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  if (request.mode === 'navigate' && url.pathname === new URL(PAGE).pathname) event.respondWith(page(event));
  else if (url.pathname.includes('/assets/')) event.respondWith(asset(request));
});

/** Fetches the page and everything hashed that it names, and forgets what it no longer names. */
async function keep(): Promise<void> {
  const response = await fetch(PAGE, { cache: 'no-store', credentials: 'omit' });
  if (!response.ok) throw new Error(`the page answered ${response.status}`);
  await store(response);
}

async function store(response: Response): Promise<void> {
  const cache = await caches.open(CACHE);
  const text = await response.clone().text();
  const names = [...text.matchAll(/"([^"]*\/assets\/[^"]+)"/g)].map(([, path = '']) => new URL(path, PAGE).href);
  const missing = await Promise.all(names.map(async (url) => ((await cache.match(url)) ? undefined : url)));
  await cache.addAll(missing.filter((url) => url !== undefined));
  await cache.put(PAGE, response);
  for (const { url } of await cache.keys()) if (url !== PAGE && !names.includes(url)) await cache.delete(url);
}

/** The newest page, or the last one where the network does not answer. */
async function page(event: { request: Request; waitUntil(work: Promise<unknown>): void }): Promise<Response> {
  const kept = await caches.match(PAGE, { ignoreVary: true });
  try {
    const response = await fetch(event.request, kept ? { signal: AbortSignal.timeout(PATIENCE) } : {});
    if (!response.ok) return kept ?? response;
    event.waitUntil(store(response.clone()));
    return response;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}

/** Hashed names never change what they mean. */
async function asset(request: Request): Promise<Response> {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}
