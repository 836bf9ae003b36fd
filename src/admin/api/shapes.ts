import { z } from 'zod';
import type { ClientKey, ClientSecret, RegisteredClient } from '../../clients/types.ts';
import { metadataSchema } from '../../clients/schema.ts';

/** An instant of ours, in milliseconds since the epoch, as it goes over the wire (RFC 3339). */
export const instant = (at: number): string => new Date(at).toISOString();

export const instantShape = z.iso.datetime();

/** How lists are asked for. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).optional().describe('At most so many; 50 unless told otherwise'),
  cursor: z.string().max(1000).optional().describe('`next_cursor` of the page before'),
});

export const nextCursor = { next_cursor: z.string().optional().describe('Asks for the next page; absent on the last') };

export const secretShape = z.object({ id: z.string(), created_at: instantShape, expires_at: instantShape.nullable().describe('Null where it lasts') });

export const keyShape = z.object({ kid: z.string(), algorithm: z.string(), generated: z.boolean().describe('Whether the pair was made here'), created_at: instantShape });

/** A client: its metadata, and what is kept beside it. */
export const clientShape = metadataSchema.loose().extend({
  client_id: z.string(),
  origin: z.enum(['admin', 'registration']).describe('Registered by an administrator, or by itself (RFC 7591)'),
  secrets: z.array(secretShape).describe('Never with their values'),
  keys: z.array(keyShape).describe('Public keys that the provider hosts'),
  created_at: instantShape,
  updated_at: instantShape,
});

export const jwkShape = z.looseObject({ kty: z.string(), kid: z.string().optional() });

export const secretOf = ({ id, createdAt, expiresAt }: ClientSecret): z.output<typeof secretShape> => ({
  id,
  created_at: instant(createdAt),
  expires_at: expiresAt === undefined ? null : instant(expiresAt),
});

export const keyOf = ({ kid, algorithm, generated, createdAt }: ClientKey): z.output<typeof keyShape> => ({ kid, algorithm, generated, created_at: instant(createdAt) });

export function clientOf({ clientId, metadata, origin, secrets, keys, createdAt, updatedAt }: RegisteredClient): z.output<typeof clientShape> {
  return {
    ...metadata,
    client_id: clientId,
    origin,
    secrets: secrets.map(secretOf),
    keys: keys.map(keyOf),
    created_at: instant(createdAt),
    updated_at: instant(updatedAt),
  };
}
