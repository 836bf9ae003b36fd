import { z } from 'zod';
import { CLIENT_ID, metadataSchema } from '../../clients/schema.ts';
import { AppError } from '../../errors.ts';
import type { Scope } from '../../resources/types.ts';
import type { ApplyDocument } from './types.ts';

const words = z.union([z.string(), z.record(z.string(), z.string())]).describe('Plain words; by language (BCP 47) with English among them, or English alone');

export const scopeSchema = z.strictObject({
  name: z.string().max(100),
  description: words,
  level: z.union([z.literal(1), z.literal(2)]).optional().describe('2 where it is given only to people who signed in with two factors'),
});

/** What a resource server is made of; what its members may be, the registry says. */
export const resourceServerSchema = z.strictObject({
  identifier: z.string().max(255).describe('The resource indicator (RFC 8707 §2): an absolute URI; it never changes'),
  name: z.string().max(100).optional(),
  audience: z.string().max(255).optional().describe('The `aud` of its tokens; the identifier unless told otherwise'),
  format: z.enum(['opaque', 'jwt']).optional(),
  algorithm: z.enum(['ES256', 'RS256', 'PS256', 'EdDSA']).optional().describe('What signs its JWTs'),
  ttl: z.int().optional().describe('Life of its tokens, in seconds'),
  scopes: z.array(scopeSchema).max(200).optional(),
});

/** The declarative file. */
export const documentSchema = z.strictObject({
  resource_servers: z.array(resourceServerSchema).max(1000).optional(),
  clients: z
    .array(metadataSchema.extend({ client_id: CLIENT_ID, managed_keys: z.array(z.looseObject({ kty: z.string() })).max(10).optional().describe('Public JWKs that the provider hosts') }))
    .max(10_000)
    .optional(),
});

export type Document = z.output<typeof documentSchema>;

/** A scope as the registry takes it. */
export function scopeOf({ name, description, level }: z.output<typeof scopeSchema>): Scope {
  return { name, description: typeof description === 'string' ? { en: description } : description, level: level ?? 1 };
}

/**
 * Reads a document; each name is in it once.
 *
 * @throws AppError `invalid_request` telling where
 */
export function readDocument(given: ApplyDocument): Document {
  const result = documentSchema.safeParse(given);
  if (!result.success) {
    const [issue] = result.error.issues;
    const what = issue?.code === 'unrecognized_keys' ? `there is no ${issue.keys.slice(0, 3).join(', ')}` : issue?.message;
    throw new AppError('invalid_request', `${issue?.path.join('.') || 'the document'}: ${what}`, { cause: result.error });
  }
  refuseTwice('resource_servers', (result.data.resource_servers ?? []).map(({ identifier }) => identifier));
  refuseTwice('clients', (result.data.clients ?? []).map(({ client_id: id }) => id));
  for (const { identifier, scopes = [] } of result.data.resource_servers ?? []) refuseTwice(`scopes of ${identifier}`, scopes.map(({ name }) => name));
  return result.data;
}

function refuseTwice(where: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new AppError('invalid_request', `${where}: ${JSON.stringify(twice)} is there twice`);
}
