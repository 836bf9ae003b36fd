import type { Metadata } from '../../clients/types.ts';
import { SECTIONS } from './desk.ts';

/** The path of a client's pages. */
export const clientPath = (clientId: string, below = ''): string => `${SECTIONS.clients}/${encodeURIComponent(clientId)}${below}`;

/** What a client is called. */
export function nameOr({ client_name: name }: Metadata, clientId: string): string {
  return typeof name === 'string' && name !== '' ? name : clientId;
}
