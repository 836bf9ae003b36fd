import type { KoaContextWithOIDC, Provider } from 'oidc-provider';

type Oidc = KoaContextWithOIDC['oidc'];

const BODY = Symbol('body');

/**
 * Lets a client name its secret when it updates itself (RFC 7592 §2.2): the library compares it to what it has of the client, which for clients of the
 * registry only stands for a secret. Here the right one is replaced by that; a wrong one stays, and is refused.
 */
export function acceptHashedSecrets(provider: Provider): void {
  const { prototype } = (provider as unknown as { OIDCContext: { prototype: object } }).OIDCContext;
  Object.defineProperty(prototype, 'body', {
    get(this: { [BODY]?: unknown }) {
      return this[BODY];
    },
    set(this: Oidc & { [BODY]?: unknown }, body: unknown) {
      this[BODY] = this.route === 'client_update' ? withStandIn(this, body) : body;
    },
    configurable: true,
  });
}

function withStandIn({ client }: Oidc, body: unknown): unknown {
  const { client_secret: secret } = (body ?? {}) as { client_secret?: unknown };
  if (typeof secret !== 'string' || client?.clientSecret === undefined) return body;
  return client.compareClientSecret(secret) ? { ...(body as object), client_secret: client.clientSecret } : body;
}

/** Takes what stands for a secret out of an answer; one that the client has just been given stays. */
export function hideStandIn({ client, route }: Oidc, body: unknown): void {
  if (typeof body !== 'object' || body === null || (route !== 'client' && route !== 'client_update')) return;
  const answer = body as { client_secret?: string; client_secret_expires_at?: number };
  if (answer.client_secret !== undefined && answer.client_secret !== client?.clientSecret) return;
  delete answer.client_secret;
  delete answer.client_secret_expires_at;
}
