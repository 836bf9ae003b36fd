import { KEY_ALGORITHMS } from '../../../clients/schema.ts';
import type { Metadata } from '../../../clients/types.ts';
import { linesOf, type FieldSpec, type FormValues } from '../fields.ts';
import { wrongField } from '../problems.ts';

/** The kinds of clients that a person is guided to: a website with a server, an app that anybody can take apart, a service, and one with a key of its own. */
export const KINDS = ['web', 'app', 'service', 'key'] as const;
export type Kind = (typeof KINDS)[number];

/** The methods of authentication that take a client's secret. */
export const SECRET_METHODS: readonly string[] = ['client_secret_basic', 'client_secret_post'];

const NAME: FieldSpec = { name: 'client_name', kind: 'text', required: true, hint: true };
const MACHINE_NAME: FieldSpec = { ...NAME, hint: false };
const REDIRECTS: FieldSpec = { name: 'redirect_uris', kind: 'area', required: true, hint: true, mono: true, rows: 3 };
const AFTER_LOGOUT: FieldSpec = { name: 'post_logout_redirect_uris', kind: 'area', hint: true, mono: true, rows: 2 };
const OFFLINE: FieldSpec = { name: 'offline', kind: 'check', hint: true };
const ID: FieldSpec = { name: 'client_id', kind: 'text', hint: true, mono: true };

/** What each kind is asked for; the rest follows from what it is. */
export const KIND_FIELDS: Readonly<Record<Kind, readonly FieldSpec[]>> = {
  web: [NAME, REDIRECTS, AFTER_LOGOUT, OFFLINE, ID],
  app: [NAME, { name: 'platform', kind: 'radios', options: ['browser', 'native'] }, REDIRECTS, AFTER_LOGOUT, OFFLINE, ID],
  service: [MACHINE_NAME, ID],
  key: [
    MACHINE_NAME,
    { name: 'key', kind: 'radios', options: ['generate', 'upload', 'url'], hint: true },
    { name: 'algorithm', kind: 'select', options: KEY_ALGORITHMS, hint: true },
    { name: 'jwks_uri', kind: 'text', hint: true, mono: true },
    ID,
  ],
};

/** What stands in the form of a kind at first. */
export const KIND_DEFAULTS: Readonly<Record<Kind, FormValues>> = { web: {}, app: { platform: 'browser' }, service: {}, key: { key: 'generate', algorithm: 'ES256' } };

/**
 * The metadata of a new client of a kind, without its grants.
 *
 * @returns with `generateKey`, the algorithm of a key pair to be made
 * @throws AppError `invalid_request` with the field
 */
export function newClientOf(kind: Kind, values: FormValues): { metadata: Record<string, unknown>; generateKey?: string } {
  const id = values['client_id']?.trim();
  const common = { client_name: nameOf(values), ...(id && { client_id: id }) };
  if (kind === 'web') return { metadata: { ...common, ...ofPeople(values), application_type: 'web', token_endpoint_auth_method: 'client_secret_basic' } };
  if (kind === 'app') {
    return { metadata: { ...common, ...ofPeople(values), application_type: values['platform'] === 'native' ? 'native' : 'web', token_endpoint_auth_method: 'none' } };
  }
  const machine = { ...common, redirect_uris: [], response_types: [], grant_types: ['client_credentials'] };
  if (kind === 'service') return { metadata: { ...machine, token_endpoint_auth_method: 'client_secret_basic' } };
  const url = values['jwks_uri']?.trim();
  if (values['key'] === 'url' && !url) throw wrongField('jwks_uri', 'give the address of the keys');
  return {
    metadata: { ...machine, token_endpoint_auth_method: 'private_key_jwt', ...(values['key'] === 'url' && { jwks_uri: url }) },
    ...(values['key'] === 'generate' && { generateKey: values['algorithm'] || 'ES256' }),
  };
}

function nameOf(values: FormValues): string {
  const name = values['client_name']?.trim();
  if (!name) throw wrongField('client_name', 'give it a name');
  return name;
}

/** People sign in by the authorization code flow; without `offline_access` nothing outlives their session. */
function ofPeople(values: FormValues): Record<string, unknown> {
  const redirects = linesOf(values['redirect_uris']);
  if (redirects.length === 0) throw wrongField('redirect_uris', 'give at least one address to come back to');
  const offline = values['offline'] === 'on';
  const after = linesOf(values['post_logout_redirect_uris']);
  return {
    redirect_uris: redirects,
    ...(after.length > 0 && { post_logout_redirect_uris: after }),
    response_types: ['code'],
    grant_types: ['authorization_code', ...(offline ? ['refresh_token'] : [])],
    scope: `openid profile email${offline ? ' offline_access' : ''}`,
  };
}

/** Which kind a client is, by its metadata. */
export function kindOf(metadata: Metadata): Kind {
  const { token_endpoint_auth_method: method = 'client_secret_basic' } = metadata;
  if (signsPeopleIn(metadata)) return method === 'none' ? 'app' : 'web';
  return method === 'private_key_jwt' ? 'key' : 'service';
}

/** Whether people sign in with it, by the defaults of RFC 7591 §2 too. */
export function signsPeopleIn({ grant_types: grants = ['authorization_code'], response_types: responses = ['code'] }: Metadata): boolean {
  return stringsOf(grants).includes('authorization_code') && stringsOf(responses).length > 0;
}

export const stringsOf = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []);
export const stringOf = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');
