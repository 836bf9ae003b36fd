import { createHash, randomBytes } from 'node:crypto';
import { createClient, type Answer, type Client } from './load.ts';
import { API, SITE } from './servers/clients.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const BASIC = { authorization: `Basic ${Buffer.from(`${SITE.client_id}:${SITE.client_secret}`).toString('base64')}` };

export function form(fields: Record<string, string>): string {
  return new URLSearchParams(fields).toString();
}

export function expectStatus(answer: Answer, status: number, what: string): Answer {
  if (answer.status !== status) throw new Error(`${what} answered ${answer.status}: ${answer.body.slice(0, 500)}`);
  return answer;
}

/** A request of client credentials, as an opaque token or as an ES256 JWT. */
export function clientCredentials(issuer: string, { jwt }: { jwt: boolean }) {
  const fields = { grant_type: 'client_credentials', ...(jwt && { resource: API, scope: 'api:read' }) };
  return { url: `${issuer}/token`, method: 'POST', headers: { ...FORM, ...BASIC }, body: form(fields) };
}

/** Introspection of an opaque token, fetched first. */
export async function introspection(issuer: string) {
  const { url, method, headers, body } = clientCredentials(issuer, { jwt: false });
  const answer = expectStatus(await createClient().request(method, url, { headers, body }), 200, 'the token endpoint');
  const { access_token: token } = JSON.parse(answer.body) as { access_token: string };
  return { url: `${issuer}/token/introspection`, method: 'POST', headers: { ...FORM, ...BASIC }, body: form({ token }) };
}

/** A sign-in that has begun: the browser stands before the interaction page. */
export interface Begun {
  readonly client: Client;
  readonly verifier: string;
  /** The interaction's URL. */
  readonly interaction: string;
}

/** Sends a fresh browser, with no cookies but those given, to the authorization endpoint. */
export async function authorize(issuer: string, scope = 'openid email', cookies: Readonly<Record<string, string>> = {}): Promise<Begun> {
  const client = createClient(cookies);
  const verifier = randomBytes(32).toString('base64url');
  const query = form({
    client_id: SITE.client_id,
    redirect_uri: SITE.redirect_uri,
    response_type: 'code',
    scope,
    state: 'state',
    nonce: 'nonce',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...(scope.includes('offline_access') && { prompt: 'consent' }),
  });
  const answer = expectStatus(await client.request('GET', `${issuer}/auth?${query}`), 303, 'the authorization endpoint');
  return { client, verifier, interaction: new URL(answer.headers.location!, issuer).href };
}

/** Follows the redirects from `answer` to the relying site, and exchanges the code. */
export async function finish(issuer: string, { client, verifier }: Begun, answer: Answer): Promise<{ id_token: string; refresh_token?: string }> {
  let at = answer;
  for (let hop = 0; hop < 8; hop += 1) {
    const location = new URL(expectStatus(at, 303, 'the sign-in').headers.location!, issuer);
    if (location.href.startsWith(SITE.redirect_uri)) {
      const code = location.searchParams.get('code');
      if (!code) throw new Error(`the relying site was told ${location.search}`);
      const fields = { grant_type: 'authorization_code', code, redirect_uri: SITE.redirect_uri, code_verifier: verifier };
      const tokens = await client.request('POST', `${issuer}/token`, { headers: { ...FORM, ...BASIC }, body: form(fields) });
      return JSON.parse(expectStatus(tokens, 200, 'the token endpoint').body) as { id_token: string; refresh_token?: string };
    }
    at = await client.request('GET', location.href);
  }
  throw new Error('the sign-in never came back to the relying site');
}

/** Authorization code and PKCE in a fresh browser, at a host whose interaction asks nothing. */
export async function codeFlow(issuer: string, { scope = 'openid email', path = '' } = {}): Promise<{ id_token: string; refresh_token?: string }> {
  const begun = await authorize(issuer, scope);
  return finish(issuer, begun, await begun.client.request('GET', begun.interaction + path));
}

/** One chain of rotating refresh tokens a worker. */
export async function refreshFlow(issuer: string, width: number, options: { path?: string } = {}) {
  const tokens = await Promise.all(Array.from({ length: width }, () => codeFlow(issuer, { scope: 'openid offline_access', ...options })));
  const chains = tokens.map(({ refresh_token: token }) => token!);
  const client = createClient();
  return async (worker: number) => {
    const body = form({ grant_type: 'refresh_token', refresh_token: chains[worker]! });
    const answer = await client.request('POST', `${issuer}/token`, { headers: { ...FORM, ...BASIC }, body });
    chains[worker] = (JSON.parse(expectStatus(answer, 200, 'the token endpoint').body) as { refresh_token: string }).refresh_token;
  };
}
