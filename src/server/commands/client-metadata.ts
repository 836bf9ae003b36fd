import type { AdminService, Metadata } from '../../index.ts';
import { UsageError, type Given, type Option } from '../command-line/command.ts';
import { level, oneOf, readObject } from '../command-line/read.ts';

interface Where {
  readonly admin: AdminService;
  readonly issuer: string;
}

/** Client metadata as options, for what is asked most; the rest comes by `--metadata`. */
export const METADATA = {
  name: { value: 'TEXT', about: 'the name that people see' },
  'redirect-uri': { value: 'URL', many: true, about: 'where people come back to after signing in' },
  'post-logout-redirect-uri': { value: 'URL', many: true, about: 'where they come back to after signing out' },
  'grant-type': { value: 'TYPE', many: true, about: 'authorization_code (the default), refresh_token, client_credentials, urn:ietf:params:oauth:grant-type:device_code' },
  'auth-method': { value: 'METHOD', about: 'client_secret_basic (the default), client_secret_post, private_key_jwt or none' },
  'application-type': { value: 'TYPE', about: 'web (the default) or native' },
  'jwks-uri': { value: 'URL', about: 'where its public keys are, if not hosted here' },
  'logo-uri': { value: 'URL', about: 'its logo' },
  'client-uri': { value: 'URL', about: 'its home page' },
  'id-token-alg': { value: 'ALG', about: 'what signs its ID tokens: ES256 (the default), RS256, …' },
  scope: { value: 'RESOURCE=SCOPES', many: true, about: 'scopes of a resource server, separated by commas: https://api.example.com=read,write. `api` stands for the provider’s own, admin:* for its scopes that begin so. Without = a scope of the provider, such as offline_access. RESOURCE= takes its scopes away' },
  introspects: { value: 'RESOURCE', many: true, about: 'the resource server that it is, whose tokens it may introspect' },
  sector: { value: 'GROUP', about: 'the group of clients that see one subject for an account' },
  level: { value: '1|2', about: 'the level at which its people sign in; 2 for two factors' },
  confirm: { value: 'auto|always', about: 'when a sign-in by QR code needs the confirm code' },
  consent: { value: 'ask|implicit', about: '`implicit` for sites of your own house: nobody is asked' },
  attribute: { value: 'CLAIM', many: true, about: 'a claim that it may be told; all of the scopes granted unless given' },
  metadata: { value: 'FILE', about: 'client metadata as a JSON object (RFC 7591 §2, and Tandem’s own); - for standard input. Options go before it' },
} as const satisfies Record<string, Option>;

/** What each option with one value is called in metadata. */
const SINGLE = {
  name: 'client_name',
  'auth-method': 'token_endpoint_auth_method',
  'application-type': 'application_type',
  'jwks-uri': 'jwks_uri',
  'logo-uri': 'logo_uri',
  'client-uri': 'client_uri',
  'id-token-alg': 'id_token_signed_response_alg',
  sector: 'tandem_sector',
} as const satisfies Partial<Record<keyof typeof METADATA, string>>;

const MANY = {
  'redirect-uri': 'redirect_uris',
  'post-logout-redirect-uri': 'post_logout_redirect_uris',
  'grant-type': 'grant_types',
  attribute: 'tandem_attributes',
} as const satisfies Partial<Record<keyof typeof METADATA, string>>;

/** Grant types that answer the authorization endpoint's code. */
const BY_BROWSER = ['authorization_code', 'implicit'];

/**
 * Reads metadata of options and file.
 *
 * @param before the client that it changes: what `--scope` does not name of its grants stays
 * @throws UsageError naming what cannot be read
 */
export async function metadataOf(given: Given<typeof METADATA>, { admin, issuer }: Where, before?: string): Promise<Record<string, unknown>> {
  const metadata: Record<string, unknown> = given.metadata === undefined ? {} : await readObject(given.metadata);
  for (const [option, member] of Object.entries(SINGLE)) set(metadata, member, given[option as keyof typeof SINGLE]);
  for (const [option, member] of Object.entries(MANY)) set(metadata, member, given[option as keyof typeof MANY]);
  set(metadata, 'tandem_level', level(given.level));
  set(metadata, 'tandem_confirm', oneOf('--confirm', ['auto', 'always'], given.confirm));
  set(metadata, 'tandem_consent', oneOf('--consent', ['ask', 'implicit'], given.consent));
  if (given.introspects) metadata['tandem_introspects'] = await Promise.all(given.introspects.map((name) => identifierOf(name, { admin, issuer })));
  await addScopes(metadata, given.scope ?? [], { admin, issuer }, before);
  return metadata;
}

/** What a client that nobody's browser is sent to need not be asked for. */
export function withoutBrowser(metadata: Metadata): Metadata {
  const { grant_types: types } = metadata;
  const byBrowser = !Array.isArray(types) || types.some((type) => BY_BROWSER.includes(String(type)));
  return byBrowser ? metadata : { redirect_uris: [], response_types: [], ...metadata };
}

function set(metadata: Record<string, unknown>, member: string, value: unknown): void {
  if (value !== undefined) metadata[member] = value;
}

async function addScopes(metadata: Record<string, unknown>, given: readonly string[], where: Where, before: string | undefined): Promise<void> {
  const own = given.filter((each) => !each.includes('='));
  if (own.length > 0) metadata['scope'] = own.join(' ');
  const granted = await grantsOf(given.filter((each) => each.includes('=')), where);
  if (Object.keys(granted).length === 0) return;
  const others = metadata['tandem_resources'] ?? (before === undefined ? undefined : (await where.admin.clients.get(before)).metadata['tandem_resources']);
  const all = { ...(others as Record<string, readonly string[]> | undefined), ...granted };
  metadata['tandem_resources'] = Object.fromEntries(Object.entries(all).filter(([, scopes]) => scopes.length > 0));
}

/** Scopes by resource indicator, of `RESOURCE=a,b`. */
export async function grantsOf(given: readonly string[], where: Where): Promise<Record<string, string[]>> {
  const granted: Record<string, string[]> = {};
  for (const each of given) {
    const split = each.lastIndexOf('=');
    const identifier = await identifierOf(each.slice(0, split), where);
    const scopes = each.slice(split + 1).split(',').map((scope) => scope.trim()).filter((scope) => scope !== '');
    const all = scopes.some((scope) => scope.endsWith('*')) ? await expand(scopes, identifier, where.admin) : scopes;
    granted[identifier] = [...new Set([...(granted[identifier] ?? []), ...all])];
  }
  return granted;
}

/** `admin:*` stands for the scopes that begin so today; those that come later are not granted by it. */
async function expand(scopes: readonly string[], identifier: string, admin: AdminService): Promise<string[]> {
  const names = (await admin.resources.get(identifier)).scopes.map(({ name }) => name);
  return scopes.flatMap((scope) => {
    if (!scope.endsWith('*')) return [scope];
    const found = names.filter((name) => name.startsWith(scope.slice(0, -1)));
    if (found.length === 0) throw new UsageError(`${identifier} has no scope that begins with ${JSON.stringify(scope.slice(0, -1))}`);
    return found;
  });
}

/** The resource indicator of what an operator calls a resource server: that itself, its id, or `api` for the provider's own. */
export async function identifierOf(name: string, { admin, issuer }: Where): Promise<string> {
  if (name === '') throw new UsageError('--scope must name a resource server before =, such as https://api.example.com=read');
  if (name === 'api') return `${issuer}/api`;
  return URL.canParse(name) ? name : (await admin.resources.get(name)).identifier;
}
