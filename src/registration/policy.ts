import { errors, type ClientMetadata } from 'oidc-provider';
import { z } from 'zod';
import { METADATA } from '../clients/schema.ts';
import { AppError } from '../errors.ts';
import { isDeeperThan, MAX_DEPTH } from '../lib/http/body.ts';
import { POLICY } from './schema.ts';
import type { RegistrationPolicy } from './types.ts';

const policySchema = z.strictObject(POLICY);

/** @throws AppError `invalid_request` with `field` */
export function readPolicy(input: unknown): RegistrationPolicy {
  const result = policySchema.safeParse(input);
  if (result.success) return JSON.parse(JSON.stringify(result.data)) as RegistrationPolicy;
  const { path, message } = result.error.issues[0]!;
  // As the API and the command line spell it.
  const field = ['policy', ...path].map((member) => String(member).replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)).join('.');
  throw new AppError('invalid_request', `${field}: ${message}`, { extra: { field }, cause: result.error });
}

/** Where browsers are sent, by the will of the client. */
const REDIRECTS = ['redirect_uris', 'post_logout_redirect_uris', 'initiate_login_uri'] as const;

/**
 * Holds what a client would be against a policy. It looks at the client that the library makes of a request, not at the request: the library fills in
 * what was left out, and adds the grant type of a response type.
 *
 * @param client the metadata that the client would have
 * @param present what it has already, and may keep: an administrator may have given it more
 * @throws InvalidClientMetadata (RFC 7591 §3.2.2) naming the member
 */
export function enforcePolicy(policy: RegistrationPolicy, client: ClientMetadata, present: ClientMetadata | undefined): void {
  if (policy.grantTypes) allow('grant_types', client.grant_types, policy.grantTypes, present?.grant_types);
  if (policy.authMethods) allow('token_endpoint_auth_method', [client.token_endpoint_auth_method], policy.authMethods, [present?.token_endpoint_auth_method]);
  if (policy.scopes) allow('scope', client.scope?.split(' '), policy.scopes, present?.scope?.split(' '));
  if (policy.redirectHosts) {
    for (const member of REDIRECTS) {
      const kept = [present?.[member] ?? []].flat();
      const strange = [client[member] ?? []].flat().find((uri) => !kept.includes(uri) && !isAtHost(uri, policy.redirectHosts!));
      if (strange !== undefined) throw refused(member, `may be at ${policy.redirectHosts.join(', ')} alone`);
    }
  }
}

/**
 * The scopes of a client that names none: those of the policy, for without any of its own it could ask for all that there are.
 *
 * @throws InvalidClientMetadata where the policy has none, and people are to sign in
 */
export function defaultScope({ scopes }: RegistrationPolicy, { scope, grant_types: grants = [] }: ClientMetadata): string | undefined {
  if (scope || !scopes) return scope;
  if (scopes.length === 0 && grants.some((grant) => grant !== 'client_credentials')) throw refused('scope', 'may name none, and without one nobody can sign in');
  return scopes.join(' ') || undefined;
}

/** What the library does not look at closely: names that people see, and sizes. @throws InvalidClientMetadata */
export function checkShape(metadata: ClientMetadata): void {
  if (isDeeperThan(metadata, MAX_DEPTH)) throw new errors.InvalidClientMetadata(`metadata is nested ${MAX_DEPTH} deep at most`);
  for (const [name, schema] of Object.entries(METADATA)) {
    const value = metadata[name];
    const result = value === undefined || value === null ? undefined : schema.safeParse(value);
    if (result?.success === false) throw new errors.InvalidClientMetadata(`${name}: ${result.error.issues[0]!.message}`);
  }
}

function allow(member: string, asked: readonly (string | undefined)[] = [], allowed: readonly string[], kept: readonly (string | undefined)[] = []): void {
  const strange = asked.find((each) => each !== undefined && !allowed.includes(each) && !kept.includes(each));
  if (strange !== undefined) throw refused(member, `may be ${allowed.join(', ') || 'none'}, and not ${strange}`);
}

function isAtHost(uri: string, hosts: readonly string[]): boolean {
  if (!URL.canParse(uri)) return false;
  const { protocol, hostname } = new URL(uri);
  if (protocol !== 'https:' && protocol !== 'http:') return false;
  return hosts.some((host) => (host.startsWith('*.') ? hostname.endsWith(host.slice(1)) && hostname.length > host.length - 1 : hostname === host));
}

const refused = (member: string, rule: string) => new errors.InvalidClientMetadata(`${member} ${rule}: so says the policy of the registration`);
