import { z } from 'zod';
import { CLIENT_ID, metadataSchema } from '../../clients/schema.ts';
import { AppError } from '../../errors.ts';
import { newResourceServerSchema, scopeName, scopeWords } from '../../resources/schema.ts';
import type { Scope } from '../../resources/types.ts';
import type { ApplyDocument } from './types.ts';

const documentScope = z.strictObject({
  name: scopeName,
  description: z.union([z.string().max(200), scopeWords]).describe('Plain words by language (BCP 47) with English among them, or in English alone'),
  level: z.union([z.literal(1), z.literal(2)]).optional().describe('2 where it is given only to people who signed in with two factors'),
});

/** The declarative file. */
export const documentSchema = z.strictObject({
  resource_servers: z.array(newResourceServerSchema.extend({ scopes: z.array(documentScope).max(1000).optional() })).max(1000).optional(),
  clients: z
    .array(metadataSchema.extend({ client_id: CLIENT_ID, managed_keys: z.array(z.looseObject({ kty: z.string() })).max(10).optional().describe('Public JWKs that the provider hosts') }))
    .max(10_000)
    .optional(),
});

export type Document = z.output<typeof documentSchema>;

/** A scope as the registry takes it. */
export function scopeOf({ name, description, level }: z.output<typeof documentScope>): Scope {
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
