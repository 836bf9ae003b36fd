import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';

/*
 * A shop where people register. It knows the provider by HTTP alone, as a shop would that somebody else has written: it gets a token, makes the
 * account, shows the QR code as it came, asks how far the phone is, and passes on the code that its visitor types.
 */

interface Visit {
  readonly account: string;
  readonly enrolmentId: string;
  readonly qrCode: string;
  readonly seen: string[];
  problem: string;
}

interface SiteOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** @returns the server, not listening yet, and the states that each of its visits has seen, in their order */
export function createRegistrationSite({ issuer, clientId, clientSecret }: SiteOptions): { server: Server; states: () => string[][] } {
  const api = `${issuer}/api`;
  const visits = new Map<string, Visit>();
  let held: { token: string; until: number } | undefined;

  async function token(): Promise<string> {
    if (held && held.until > Date.now()) return held.token;
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64')}` },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        resource: api,
        scope: 'accounts:create credential:omi:enrol:qr:admin:post credential:omi:enrol:status:get',
      }),
    });
    if (!response.ok) throw new Error(`no token: ${response.status} ${await response.text()}`);
    const { access_token: value, expires_in: seconds } = (await response.json()) as { access_token: string; expires_in: number };
    held = { token: value, until: Date.now() + (seconds - 30) * 1000 };
    return value;
  }

  async function call(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<{ ok: boolean; body: Record<string, unknown> }> {
    const response = await fetch(issuer + path, {
      method,
      headers: { authorization: `Bearer ${await token()}`, ...(body && { 'content-type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { ok: response.ok, body: (await response.json()) as Record<string, unknown> };
  }

  async function register(form: URLSearchParams): Promise<string> {
    const id = randomUUID();
    const made = await call('POST', '/api/accounts', { email: form.get('email'), name: form.get('name'), locale: 'en' }, { 'idempotency-key': id });
    if (!made.ok) return page(`<p role="alert">${escape(String(made.body['detail']))}</p>${FORM}`);
    const account = String(made.body['account']);
    const { ok, body } = await call('POST', '/omi/qr/enrol', { account });
    if (!ok) throw new Error(`no QR code: ${JSON.stringify(body)}`);
    visits.set(id, { account, enrolmentId: String(body['enrolmentId']), qrCode: String(body['qrCode']), seen: [], problem: '' });
    return id;
  }

  async function show(id: string, visit: Visit): Promise<string> {
    const { ok, body } = await call('GET', `/omi/qr/enrol/status?enrolmentId=${encodeURIComponent(visit.enrolmentId)}`);
    // Asked too soon: the next time will do.
    const status = ok ? String(body['status']) : (visit.seen.at(-1) ?? 'pending');
    if (visit.seen.at(-1) !== status) visit.seen.push(status);
    if (status === 'enrolled') return page('<h1>Welcome</h1><p>Your phone is connected. Sign in with it wherever you see a QR code.</p>');
    if (status === 'expired' || status === 'cancelled') return page('<h1>That took too long</h1><p><a href="/">Start again</a></p>');
    if (body['confirmCodeRequired'] === true) {
      const { name } = body['device'] as { name: string };
      const problem = visit.problem && `<p role="alert">${escape(visit.problem)}</p>`;
      return page(`<h1>Type the code</h1><p>${escape(name)} shows six digits.</p>${problem}<form method="post" action="/code?id=${id}"><label>Code <input name="code" autocomplete="one-time-code"></label><button>Connect</button></form>`);
    }
    return page(`<h1>Scan this with your phone</h1><img alt="QR code" src="data:image/png;base64,${visit.qrCode}">`, 2);
  }

  async function confirm(visit: Visit, form: URLSearchParams): Promise<void> {
    const { ok, body } = await call('POST', '/omi/qr/enrol/confirm', { enrolmentId: visit.enrolmentId, code: form.get('code') });
    visit.problem = ok ? '' : String(body['detail']);
  }

  async function answer(request: IncomingMessage): Promise<{ html: string } | { location: string }> {
    const url = new URL(request.url ?? '/', 'http://site');
    const form = new URLSearchParams(await textOf(request));
    if (url.pathname === '/register' && request.method === 'POST') {
      const made = await register(form);
      return visits.has(made) ? { location: `/phone?id=${made}` } : { html: made };
    }
    const id = url.searchParams.get('id') ?? '';
    const visit = visits.get(id);
    if (!visit) return { html: page(`<h1>Join the shop</h1>${FORM}`) };
    if (url.pathname === '/code') {
      await confirm(visit, form);
      return { location: `/phone?id=${id}` };
    }
    return { html: await show(id, visit) };
  }

  const server = createServer((request, response) => {
    answer(request).then(
      (given) => {
        if ('location' in given) response.writeHead(303, { location: given.location }).end();
        else response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(given.html);
      },
      (error: unknown) => response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error)),
    );
  });
  return { server, states: () => [...visits.values()].map(({ seen }) => seen) };
}

const FORM = '<form method="post" action="/register"><label>E-mail <input name="email" type="email"></label><label>Name <input name="name"></label><button>Join</button></form>';

const page = (body: string, refresh?: number) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The shop</title>${refresh === undefined ? '' : `<meta http-equiv="refresh" content="${refresh}">`}</head><body>${body}</body></html>`;

const escape = (text: string) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
