/** A page as the terminal's browser has it. */
export interface Page {
  readonly url: string;
  readonly status: number;
  readonly text: string;
}

/** A browser without a screen: cookies, redirects and forms, which is all that a sign-in needs. */
export interface Browser {
  open(url: string): Promise<Page>;
  /** Sends the form of `page` whose action ends as `action` does, with its hidden fields and `fields`. */
  submit(page: Page, action: string, fields?: Readonly<Record<string, string>>): Promise<Page>;
  /** Asks as a page's own script does, with the page's CSRF token; the answer is JSON. */
  ask(page: Page, path: string, fields?: Readonly<Record<string, string>>): Promise<Record<string, unknown>>;
}

const MOST_REDIRECTS = 12;

export function createBrowser(userAgent: string): Browser {
  const cookies = new Map<string, Map<string, string>>();

  async function request(url: string, init: RequestInit): Promise<Response> {
    const { hostname } = new URL(url);
    const jar = cookies.get(hostname) ?? new Map<string, string>();
    cookies.set(hostname, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { 'user-agent': userAgent, accept: 'text/html', cookie, ...init.headers } });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=;]+)=([^;]*)/.exec(line) ?? [];
      const ended = /;\s*max-age=0/i.test(line) || /;\s*expires=Thu, 01 Jan 1970/i.test(line);
      if (ended) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  async function follow(url: string, init: RequestInit = {}): Promise<Page> {
    for (let hop = 0; hop < MOST_REDIRECTS; hop += 1) {
      const response = await request(url, init);
      const location = response.headers.get('location');
      if (!location) return { url, status: response.status, text: await response.text() };
      url = new URL(location, url).href;
      init = {};
    }
    throw new Error(`too many redirects, the last to ${url}`);
  }

  return {
    open: (url) => follow(url),
    async submit(page, action, fields = {}) {
      const form = formOf(page, action);
      return follow(form.url, post(page, { ...form.fields, ...fields }));
    },
    async ask(page, path, fields = {}) {
      const { csrf = '' } = hiddenFields(page.text);
      const init = post(page, { csrf, ...fields });
      const response = await request(new URL(path, page.url).href, { ...init, headers: { ...init.headers, accept: 'application/json' } });
      const answer = (await response.json()) as Record<string, unknown>;
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${JSON.stringify(answer)}`);
      return answer;
    },
  };
}

/** A form post as a browser makes it: it says from where it comes. */
function post({ url }: Page, fields: Readonly<Record<string, string>>): { method: string; body: URLSearchParams; headers: Record<string, string> } {
  return { method: 'POST', body: new URLSearchParams(fields), headers: { origin: new URL(url).origin, 'sec-fetch-site': 'same-origin' } };
}

function formOf(page: Page, action: string) {
  for (const [form, tag = ''] of page.text.matchAll(/<form\b([^>]*)>[\s\S]*?<\/form>/g)) {
    const target = attribute(tag, 'action') ?? page.url;
    const url = new URL(target, page.url);
    if (url.pathname.endsWith(action)) return { url: url.href, fields: hiddenFields(form) };
  }
  throw new Error(`${page.url} (${page.status}) has no form for ${action}`);
}

function hiddenFields(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [tag] of text.matchAll(/<input\b[^>]*type="hidden"[^>]*>/g)) {
    fields[attribute(tag, 'name') ?? ''] ??= attribute(tag, 'value') ?? '';
  }
  return fields;
}

/** The value of an attribute. */
export function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(tag)?.[1];
  return value?.replace(/&(amp|lt|gt|quot|#39|#x27);/g, (entity) => ENTITIES[entity] ?? entity);
}

const ENTITIES: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&#x27;': "'" };
