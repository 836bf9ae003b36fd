import type { Metadata } from './types.ts';

declare module '../lib/events.ts' {
  interface EventMap {
    'client.created': { clientId: string; after: Metadata };
    /** The members that changed, as they were and as they are; null where there was none, or is none. */
    'client.updated': { clientId: string; before: Metadata; after: Metadata };
    'client.deleted': { clientId: string; before: Metadata };
    'client.secret_added': { clientId: string; secretId: string; endsOthersAt: number | undefined };
    'client.secret_removed': { clientId: string; secretId: string };
    'client.key_added': { clientId: string; kid: string; algorithm: string; generated: boolean };
    'client.key_removed': { clientId: string; kid: string };
    /** A client registered itself (RFC 7591), changed itself, or ended itself (RFC 7592). */
    'client.registered': { clientId: string; after: Metadata };
    'client.self_updated': { clientId: string; before: Metadata; after: Metadata };
    'client.self_deleted': { clientId: string; before: Metadata };
  }
}
