import http from 'node:http';
import https from 'node:https';
import { createCookieJar, type CookieJar } from './cookie-jar.ts';
import { elements, formsOf, textOf, type Form } from './html.ts';

/** One answer, after its redirects. */
export interface Page {
  /** Where the redirects ended. */
  readonly url: string;
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  /** Every URL asked for, the last one included. */
  readonly visited: readonly string[];
  readonly forms: readonly Form[];
  /** The words on the page. */
  readonly text: string;
  readonly title: string;
  json<T = Record<string, unknown>>(): T;
  /** The `href`s of its links, absolute. */
  readonly links: readonly string[];
  /** The target and delay in seconds of a meta refresh, if there is one. */
  readonly refresh: { readonly url: string; readonly seconds: number } | undefined;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** False leaves a redirect unfollowed: the page is the redirect itself. */
  readonly follow?: boolean;
}

export interface BrowserOptions {
  /** Sent with every request, such as `user-agent` and `accept-language`. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Addresses that are not fetched but handed back as a page of status 0: a relying site's callback that no server answers.
   * The URLs of the test clients (`http://localhost:1/…`) always are.
   */
  readonly stopAt?: (url: string) => boolean;
  /** How many redirects in a row; more throw. */
  readonly hops?: number;
  /** Milliseconds, for the expiry of cookies. */
  readonly now?: () => number;
  /** A certificate to trust, PEM. */
  readonly ca?: string;
}

export type FormFields = Readonly<Record<string, string>>;
type Body = string | FormFields;

/** A person's browser without scripts: cookies, redirects, forms, and the `Origin` and `Sec-Fetch-*` headers. */
export interface HttpBrowser {
  readonly cookies: CookieJar;
  get(url: string, options?: RequestOptions): Promise<Page>;
  /**
   * Posts as a page of the same origin would: a record goes as a form, a string as it is (give a `content-type`).
   * `headers.origin` sets another origin; an empty string sends none.
   */
  post(url: string, body: Body, options?: RequestOptions): Promise<Page>;
  /** Any method, as a script of the page's origin would send it, expecting JSON. */
  send(method: string, url: string, body?: string, options?: RequestOptions): Promise<Page>;
  /**
   * Sends a form of `page` with its hidden fields (the CSRF token among them).
   *
   * @param which its index, its id or name, a part of its action, or the words of one of its buttons; that button's value is sent
   */
  submit(page: Page, which: number | string, fields?: FormFields, options?: RequestOptions): Promise<Page>;
  close(): void;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36';
/** A phone's browser, for `headers: { 'user-agent': PHONE_AGENT }`. */
export const PHONE_AGENT = 'Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Mobile Safari/537.36';

function pageOf(url: string, status: number, headers: http.IncomingHttpHeaders, body: string, visited: string[]): Page {
  return {
    url,
    status,
    headers,
    body,
    visited,
    get forms() {
      return formsOf(body, url);
    },
    get text() {
      return textOf(body);
    },
    get title() {
      return textOf(/<title>([\s\S]*?)<\/title>/i.exec(body)?.[1] ?? '');
    },
    get links() {
      return elements(body, 'a').flatMap((link) => (link.has('href') ? [new URL(link.get('href')!, url).href] : []));
    },
    get refresh() {
      const meta = elements(body, 'meta').find((tag) => tag.get('http-equiv')?.toLowerCase() === 'refresh');
      const content = /^\s*(\d+)\s*(?:;\s*url=(.*))?$/i.exec(meta?.get('content') ?? '');
      return content ? { seconds: Number(content[1]), url: new URL(content[2] ?? url, url).href } : undefined;
    },
    json<T>() {
      return JSON.parse(body) as T;
    },
  };
}

function pick(page: Page, which: number | string) {
  if (typeof which === 'number') return { form: page.forms[which], button: undefined };
  const form = page.forms.find(({ id, name, action }) => id === which || name === which || action.includes(which));
  if (form) return { form, button: undefined };
  for (const candidate of page.forms) {
    const button = candidate.buttons.find(({ text, value }) => text === which || value === which);
    if (button) return { form: candidate, button };
  }
  return { form: undefined, button: undefined };
}

/**
 * Creates a browser with an empty cookie jar.
 *
 * @example
 * const browser = createHttpBrowser();
 * const page = await browser.get(`${issuer}/account`);
 * await browser.submit(page, '/password', { email, password });
 */
export function createHttpBrowser(options: BrowserOptions = {}): HttpBrowser {
  const { hops = 20, now = Date.now, stopAt = () => false } = options;
  const cookies = createCookieJar(now);
  const agents = {
    'http:': new http.Agent({ keepAlive: true }),
    'https:': new https.Agent({ keepAlive: true, ...(options.ca && { ca: options.ca }) }),
  };
  const unanswered = (url: string) => stopAt(url) || /^https?:\/\/(localhost|127\.0\.0\.1):1\//.test(url);

  function request(method: string, url: URL, headers: Record<string, string>, body: string | undefined) {
    return new Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }>((resolve, reject) => {
      const { request: open } = url.protocol === 'https:' ? https : http;
      const cookie = cookies.header(url);
      const sent = open(url, {
        method,
        agent: agents[url.protocol as 'http:' | 'https:'],
        headers: { ...headers, ...(cookie && { cookie }), ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
      });
      sent.on('error', reject);
      sent.on('response', (answer) => {
        cookies.store(url, answer.headers['set-cookie'] ?? []);
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(chunks).toString() }));
      });
      sent.end(body);
    });
  }

  /** What a browser says by itself of a request; `given` overrides it, and an empty value leaves the header out. */
  function headersFor(method: string, url: URL, from: string | undefined, script: boolean, given: Readonly<Record<string, string>> = {}) {
    const origin = from ?? url.origin;
    const site = from === undefined ? 'none' : from === url.origin ? 'same-origin' : new URL(from).hostname === url.hostname ? 'same-site' : 'cross-site';
    const headers: Record<string, string> = {
      accept: script ? 'application/json' : 'text/html,application/xhtml+xml,*/*;q=0.8',
      'accept-language': 'en',
      'user-agent': CHROME,
      'sec-fetch-site': site,
      'sec-fetch-mode': script ? 'cors' : 'navigate',
      'sec-fetch-dest': script ? 'empty' : 'document',
      ...(method !== 'GET' && method !== 'HEAD' && { origin }),
      ...options.headers,
      ...given,
    };
    for (const [name, value] of Object.entries(headers)) if (value === '') delete headers[name];
    return headers;
  }

  async function navigate(method: string, target: string, body: string | undefined, from: string | undefined, script: boolean, how: RequestOptions): Promise<Page> {
    const visited: string[] = [];
    let [verb, url, sent, given] = [method, new URL(target), body, how.headers];
    for (let hop = 0; hop <= hops; hop += 1) {
      visited.push(url.href);
      if (unanswered(url.href)) return pageOf(url.href, 0, {}, '', visited);
      const answer = await request(verb, url, headersFor(verb, url, from, script, given), sent);
      const { location } = answer.headers;
      if (how.follow === false || !location || !REDIRECTS.has(answer.status)) {
        return pageOf(url.href, answer.status, answer.headers, answer.body, visited);
      }
      // Only 307 and 308 repeat the method and the body; what was said for the first request alone is not repeated.
      if (answer.status < 307 && verb !== 'HEAD') [verb, sent, given] = ['GET', undefined, {}];
      url = new URL(location, url);
    }
    throw new Error(`more than ${hops} redirects:\n${visited.join('\n')}`);
  }

  const post = (url: string, body: Body, from: string | undefined, how: RequestOptions) =>
    typeof body === 'string'
      ? navigate('POST', url, body, from, false, how)
      : navigate('POST', url, new URLSearchParams(body).toString(), from, false, {
          ...how,
          headers: { 'content-type': 'application/x-www-form-urlencoded', ...how.headers },
        });

  return {
    cookies,
    get: (url, how = {}) => navigate('GET', url, undefined, undefined, false, how),
    post: (url, body, how = {}) => post(url, body, new URL(url).origin, how),
    send: (method, url, body, how = {}) => navigate(method, url, body, new URL(url).origin, true, how),
    async submit(page, which, fields = {}, how = {}) {
      const { form, button } = pick(page, which);
      if (!form) throw new Error(`no form ${JSON.stringify(which)} at ${page.url} (${page.status}): ${page.text.slice(0, 400)}`);
      const values = new URLSearchParams(form.fields.map(([name, value]): [string, string] => [name, value]));
      if (button?.name) values.set(button.name, button.value);
      for (const [name, value] of Object.entries(fields)) values.set(name, value);
      const from = new URL(page.url).origin;
      const action = button?.formaction ? new URL(button.formaction, page.url).href : form.action;
      if (form.method === 'POST') return post(action, Object.fromEntries(values), from, how);
      const target = new URL(action);
      target.search = values.toString();
      return navigate('GET', target.href, undefined, from, false, how);
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}
