import { errors, type ClientMetadata } from 'oidc-provider';
import { sharedKeyIn } from '../../clients/shared-keys.ts';
import { isLevel } from './levels.ts';

/** Client metadata of ours, beside that of OpenID Connect Dynamic Client Registration §2. */
export const CLIENT_METADATA: readonly string[] = [
  'tandem_attributes', // names of claims about people that it may be given
  'tandem_confirm', // 'auto' | 'always': when a QR sign-in needs the confirm code
  'tandem_consent', // 'ask' | 'implicit': `implicit` for sites of the provider's own house
  'tandem_level', // 1 | 2: the level that its people must sign in at
  'tandem_event_stream', // { delivery: 'push' | 'poll', endpoint_url?, events[] }: security events that it is told of
  'tandem_introspects', // audiences whose tokens it may introspect, as their resource server
  'tandem_resources', // { [resource indicator]: scopes[] } that it may ask for
  'tandem_sector', // the named group of clients that see one subject
];

/** What a client says of its software (RFC 7591 §2): kept, and told to nobody but its administrators. */
export const INFORMATION: readonly string[] = ['software_id', 'software_version'];

/** Where a client's metadata comes from: its operator, or the client itself (RFC 7591, or a metadata document). */
export interface MetadataOrigin {
  /** Whether redirect URIs may use http beyond this machine. */
  readonly cleartext: boolean;
  /** Whether no more than hashes of secrets are kept of clients that register themselves. */
  readonly hashed: boolean;
  /** Set where the client speaks for itself, with what it was given before. */
  readonly self: { readonly given: Readonly<Record<string, unknown>> } | undefined;
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
const isStrings = (value: unknown): boolean => Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== '');

const RULES: Readonly<Record<string, { valid: (value: unknown) => boolean; rule: string }>> = {
  tandem_attributes: { valid: isStrings, rule: 'must be an array of names of claims' },
  tandem_confirm: { valid: (value) => value === 'auto' || value === 'always', rule: 'must be "auto" or "always"' },
  tandem_consent: { valid: (value) => value === 'ask' || value === 'implicit', rule: 'must be "ask" or "implicit"' },
  tandem_event_stream: { valid: isEventStream, rule: 'must be { delivery, events }, delivery "poll", or "push" with an https endpoint_url' },
  tandem_introspects: { valid: isStrings, rule: 'must be an array of audiences' },
  tandem_level: { valid: isLevel, rule: 'must be 1 or 2' },
  tandem_resources: {
    valid: (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isStrings),
    rule: 'must map resource indicators to arrays of scopes',
  },
  tandem_sector: { valid: (value) => typeof value === 'string' && /^[\w.-]{1,60}$/.test(value), rule: 'must be 1 to 60 letters, digits, dots or dashes' },
};

/**
 * Validates one member of a client's metadata. What is ours gives a client rights, or takes a check away from it: the
 * operator gives that, and a client that registers or updates itself keeps what it was given.
 *
 * @throws InvalidClientMetadata
 */
export function validateClientMetadata(key: string, value: unknown, metadata: ClientMetadata, { cleartext, hashed, self }: MetadataOrigin): void {
  const rule = RULES[key];
  if (rule && self) {
    const given = self.given[key];
    if (value !== undefined && JSON.stringify(value) !== JSON.stringify(given)) throw new errors.InvalidClientMetadata(`${key} is for the operator to give`);
    metadata[key] = given as never;
  }
  if (rule && value !== undefined && !rule.valid(value)) throw new errors.InvalidClientMetadata(`${key} ${rule.rule}`);
  if (INFORMATION.includes(key) && value !== undefined && typeof value !== 'string') throw new errors.InvalidClientMetadata(`${key} must be a string`);
  if (key !== CLIENT_METADATA[0]) return;
  // The library takes for granted that it can be read.
  if ([metadata.redirect_uris].flat().some((uri) => uri !== undefined && !URL.canParse(uri))) throw new errors.InvalidClientMetadata('redirect_uris must only contain valid uris');
  if (!cleartext) refuseCleartext(metadata);
  const shared = hashed && self ? sharedKeyIn(metadata) : undefined;
  if (shared) throw new errors.InvalidClientMetadata(shared.message);
}

/** RFC 8935 §2, RFC 8936 §2: pushed to where the client listens, or polled by it. */
function isEventStream(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { delivery, endpoint_url: url, events, ...others } = value as Record<string, unknown>;
  const addressed = delivery === 'push' ? typeof url === 'string' && URL.canParse(url) && new URL(url).protocol === 'https:' : delivery === 'poll' && url === undefined;
  return addressed && isStrings(events) && Object.keys(others).length === 0;
}

/** A code in a cleartext redirect is anybody's on the way; on the machine itself there is no way (RFC 8252 §8.3). */
function refuseCleartext({ redirect_uris: uris }: ClientMetadata): void {
  for (const uri of [uris].flat()) {
    if (uri !== undefined && new URL(uri).protocol === 'http:' && !LOOPBACK.has(new URL(uri).hostname)) {
      throw new errors.InvalidClientMetadata('redirect_uris must use https, except on loopback addresses');
    }
  }
}
