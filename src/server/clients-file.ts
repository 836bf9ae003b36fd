import { readFile } from 'node:fs/promises';
import type { ClientMetadata } from 'oidc-provider';
import { z } from 'zod';
import { ConfigError } from './config.ts';

const clients = z.array(z.looseObject({ client_id: z.string().min(1) }));

/**
 * Reads the clients that an installation registers by a file.
 *
 * @throws ConfigError when it cannot be read, or is not an array of client metadata
 */
export async function readClients(file: string | undefined): Promise<ClientMetadata[]> {
  if (!file) return [];
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'is not JSON' : `cannot be read (${(error as NodeJS.ErrnoException).code})`;
    throw new ConfigError(`CLIENTS_FILE: ${file} ${reason}; it must be a JSON array of client metadata`);
  }
  const result = clients.safeParse(value);
  if (!result.success) throw new ConfigError(`CLIENTS_FILE: ${file} must be a JSON array of client metadata, each with a client_id`);
  const ids = result.data.map(({ client_id: id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw new ConfigError(`CLIENTS_FILE: ${file} has the client_id ${JSON.stringify(twice)} twice`);
  return result.data as ClientMetadata[];
}
