/** A cookie as a browser keeps it. */
export interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly hostOnly: boolean;
  readonly path: string;
  readonly secure: boolean;
  readonly httpOnly: boolean;
  /** Milliseconds since the epoch; undefined until the browser closes. */
  readonly expires: number | undefined;
  readonly sameSite: string | undefined;
}

export interface CookieJar {
  /** Takes the `Set-Cookie` headers of an answer from `url`, as RFC 6265bis has a browser do it. */
  store(url: URL, headers: readonly string[]): void;
  /** The `Cookie` header for a request to `url`, or undefined. */
  header(url: URL): string | undefined;
  /** One cookie that would be sent to `url`. */
  get(url: URL, name: string): Cookie | undefined;
  /** What a script of the page at `url` could read: never an HttpOnly cookie. */
  readable(url: URL): string;
  /** All that is kept and alive. */
  all(): Cookie[];
  /** Forgets the cookies named, or all. */
  clear(name?: string): void;
}

/** Secure cookies go over https, and over http to a loopback host, as in Chromium. */
function trustworthy(url: URL): boolean {
  return url.protocol === 'https:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|.+\.localhost)$/.test(url.hostname);
}

function pathMatches(requested: string, path: string): boolean {
  return requested === path || (requested.startsWith(path) && (path.endsWith('/') || requested[path.length] === '/'));
}

/** The directory of the request's path, RFC 6265 §5.1.4. */
function defaultPath(pathname: string): string {
  const slash = pathname.lastIndexOf('/');
  return slash <= 0 ? '/' : pathname.slice(0, slash);
}

function parse(url: URL, header: string, now: number): Cookie | undefined {
  const [pair = '', ...attributes] = header.split(';');
  const equals = pair.indexOf('=');
  if (equals < 1) return undefined;
  const name = pair.slice(0, equals).trim();
  const given = new Map(
    attributes.map((attribute) => {
      const [key = '', ...value] = attribute.split('=');
      return [key.trim().toLowerCase(), value.join('=').trim()] as const;
    }),
  );
  const domain = given.get('domain')?.replace(/^\./, '').toLowerCase();
  if (domain && url.hostname !== domain && !url.hostname.endsWith(`.${domain}`)) return undefined;
  const path = given.get('path');
  const maxAge = given.get('max-age');
  const expires = given.get('expires');
  const cookie: Cookie = {
    name,
    value: pair.slice(equals + 1).trim(),
    domain: domain || url.hostname,
    hostOnly: !domain,
    path: path?.startsWith('/') ? path : defaultPath(url.pathname),
    secure: given.has('secure'),
    httpOnly: given.has('httponly'),
    expires: maxAge ? now + Number(maxAge) * 1000 : expires ? Date.parse(expires) : undefined,
    sameSite: given.get('samesite')?.toLowerCase(),
  };
  if (cookie.secure && !trustworthy(url)) return undefined;
  if (name.startsWith('__Secure-') && !cookie.secure) return undefined;
  if (name.startsWith('__Host-') && !(cookie.secure && cookie.hostOnly && cookie.path === '/')) return undefined;
  return cookie;
}

/**
 * Keeps cookies as a browser does: by host (not by port), path, `Secure`, prefixes and expiry. `SameSite` is kept but
 * not enforced, since every request of these tests is a top-level one or comes from the page itself.
 *
 * @param now the time in milliseconds; a test that moves its server's clock moves this one with it
 */
export function createCookieJar(now: () => number = Date.now): CookieJar {
  let kept: Cookie[] = [];
  const alive = (cookie: Cookie) => cookie.expires === undefined || cookie.expires > now();
  const reaches = (cookie: Cookie, url: URL) =>
    (url.hostname === cookie.domain || (!cookie.hostOnly && url.hostname.endsWith(`.${cookie.domain}`))) &&
    pathMatches(url.pathname, cookie.path) &&
    (!cookie.secure || trustworthy(url));
  const matching = (url: URL) =>
    kept.filter((cookie) => alive(cookie) && reaches(cookie, url)).sort((a, b) => b.path.length - a.path.length);
  const serialise = (cookies: Cookie[]) => cookies.map(({ name, value }) => `${name}=${value}`).join('; ');

  return {
    store(url, headers) {
      for (const header of headers) {
        const cookie = parse(url, header, now());
        if (!cookie) continue;
        kept = kept.filter(({ name, domain, path }) => !(name === cookie.name && domain === cookie.domain && path === cookie.path));
        if (alive(cookie)) kept.push(cookie);
      }
    },
    header: (url) => serialise(matching(url)) || undefined,
    get: (url, name) => matching(url).find((cookie) => cookie.name === name),
    readable: (url) => serialise(matching(url).filter(({ httpOnly }) => !httpOnly)),
    all: () => kept.filter(alive),
    clear(name) {
      kept = name === undefined ? [] : kept.filter((cookie) => cookie.name !== name);
    },
  };
}
