import { errors, type Client, type ClientMetadata, type Provider } from 'oidc-provider';
import type { ZodType } from 'zod';
import { AppError } from '../errors.ts';
import { sharedKeyIn } from './shared-keys.ts';
import { METADATA } from './schema.ts';
import type { Metadata } from './types.ts';

/** What the library has of its clients, and does not type. */
export interface ClientClass {
  new (metadata: ClientMetadata): Client;
  validate(metadata: ClientMetadata): Promise<void>;
  find(id: string): Promise<Client | undefined>;
  needsSecret(metadata: Partial<ClientMetadata>): boolean;
}

export const clientClass = (provider: Provider) => provider.Client as unknown as ClientClass;

/** Methods of authentication that take a secret which only its hash is kept of. */
const SECRET_METHODS: ReadonlySet<string | undefined> = new Set(['client_secret_basic', 'client_secret_post']);

export const takesSecret = (client: Client): boolean => SECRET_METHODS.has(client.clientAuthMethod);

const invalid = (message: string, field: string | undefined, cause?: unknown) =>
  new AppError('invalid_request', message, { ...(field !== undefined && { extra: { field } }), cause });

/**
 * Reads metadata by a schema that refuses what it does not know, but for what a host adds to its clients.
 *
 * @param extra names of a host's own members
 * @throws AppError `invalid_request` with `field`
 */
export function readMetadata(schema: ZodType, input: Metadata, extra: ReadonlySet<string>): Record<string, unknown> {
  const entries = Object.entries(input).filter(([, value]) => value !== undefined);
  const result = schema.safeParse(Object.fromEntries(entries.filter(([name]) => !extra.has(name))));
  if (!result.success) {
    const issue = result.error.issues[0]!;
    const [name] = issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : issue.path;
    const where = issue.path.length > 0 ? `${issue.path.join('.')}: ` : '';
    const what = issue.code === 'unrecognized_keys' ? `there is no ${where ? 'member' : 'metadata'} ${issue.keys.slice(0, 3).map((key) => JSON.stringify(key.slice(0, 60))).join(', ')}` : issue.message;
    throw invalid(where + what, name === undefined ? undefined : String(name), result.error);
  }
  return { ...(result.data as object), ...Object.fromEntries(entries.filter(([name]) => extra.has(name))) };
}

/**
 * Has the provider itself judge a client.
 *
 * @param properties with id, and what stands for the secret
 * @param given the metadata that the caller named
 * @returns the client as the provider sees it
 * @throws AppError `invalid_request`, with `field` where it is known
 */
export async function validateByProvider(provider: Provider, properties: ClientMetadata, given: Metadata): Promise<Client> {
  const Client = clientClass(provider);
  let client: Client;
  try {
    await Client.validate(properties);
    client = new Client(properties);
  } catch (error) {
    throw asInvalid(error);
  }
  const metadata = client.metadata() as Metadata;
  const unsupported = Object.keys(given).find((name) => metadata[name] === undefined);
  if (unsupported !== undefined) throw invalid(`${unsupported} is not supported by this provider, or not for such a client`, unsupported);
  const shared = sharedKeyIn(metadata);
  if (shared) throw invalid(shared.message, shared.field);
  return client;
}

function asInvalid(error: unknown): unknown {
  if (!(error instanceof errors.InvalidClientMetadata)) return error;
  const message = error.error_description ?? error.message;
  // What is wrong with a key the library tells its log alone; of what could not be fetched nobody need know why.
  if (/Web Key Set is invalid/.test(message)) return invalid(error.cause instanceof Error ? error.cause.message : message, 'jwks', error);
  const named = [...message.matchAll(/[a-z][a-z_]*/g)].map(([word]) => word).find((word) => Object.hasOwn(METADATA, word));
  return invalid(message, named, error);
}
