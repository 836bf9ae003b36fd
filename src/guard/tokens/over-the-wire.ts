import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import * as oauth from 'oauth4webapi';
import { createCached } from '../../lib/cached.ts';
import type { Clock } from '../../lib/clock.ts';
import { GuardError } from '../errors.ts';
import { createReplayMemory } from './dpop.ts';
import { verifyJwt } from './jwt.ts';
import type { TokenSource } from './token.ts';

export interface WireOptions {
  readonly issuer: string;
  readonly introspection?: { readonly clientId: string; readonly clientSecret: string } | undefined;
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** The provider says 10 min of both (`Cache-Control`); an hour bridges its restarts. */
const KEPT = { fresh: 10 * MINUTE, stale: 60 * MINUTE, pause: 10 * SECOND };
const TIMEOUT = 5 * SECOND;

/** Asks a provider over HTTP: discovery, keys, and introspection for what is no JWT. Answers about tokens are not kept: a revocation counts at once. */
export function createWireSource({ issuer, introspection, fetch, clock }: WireOptions): TokenSource {
  const url = new URL(issuer);
  const ask = asking(fetch);
  const http = {
    [oauth.customFetch]: ask,
    // Only of a loopback issuer; others are https.
    [oauth.allowInsecureRequests]: url.protocol === 'http:',
    signal: () => AbortSignal.timeout(TIMEOUT),
  };

  const metadata = createCached(
    () => asked(async () => oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, http))),
    { clock, ...KEPT },
  );
  const keySet = createCached(
    () =>
      asked(async () => {
        const { jwks_uri: from } = await metadata.get();
        if (from === undefined || new URL(from).protocol !== url.protocol) throw new TypeError('discovery names no usable jwks_uri');
        const response = await ask(from, { headers: { accept: 'application/json' }, redirect: 'error', signal: http.signal() });
        if (!response.ok) throw new Error(`${from} answered ${response.status}`);
        return createLocalJWKSet((await response.json()) as JSONWebKeySet);
      }),
    { clock, ...KEPT },
  );

  /** A key that is not known yet may be the next one: it is looked for, every ten seconds at most. */
  const keys: JWTVerifyGetKey = async (header, jws) => {
    try {
      return await (await keySet.get())(header, jws);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const newer = await keySet.newer();
      if (!newer) throw error;
      return newer(header, jws);
    }
  };

  return {
    async readJwt(token) {
      const { issuer: declared } = await metadata.get();
      return { claims: await verifyJwt(token, { issuer: declared, keys, clock }) };
    },

    async lookUp(token) {
      if (!introspection) return undefined;
      const client = { client_id: introspection.clientId };
      const authentication = oauth.ClientSecretBasic(introspection.clientSecret);
      const server = await metadata.get();
      const claims = await asked(async () => {
        const hint = { additionalParameters: { token_type_hint: 'access_token' } };
        return oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, authentication, token, { ...http, ...hint }));
      });
      if (!claims.active || (claims.iss !== undefined && claims.iss !== server.issuer)) return undefined;
      // The provider tells of refresh tokens too, and only there leaves out the type.
      return ['bearer', 'dpop'].includes(claims.token_type?.toLowerCase() ?? '') ? { claims } : undefined;
    },

    firstUse: createReplayMemory(clock),
  };
}

/** A busy or broken provider answers in no particular shape. */
function asking(fetch: typeof globalThis.fetch): (url: string, options: object) => Promise<Response> {
  return async (url, options) => {
    const response = await fetch(url, options);
    if (response.status >= 500 || response.status === 429) throw new Error(`the provider answered ${response.status}`);
    return response;
  };
}

/** Whatever goes wrong between us and the provider is not the caller's fault, and says nothing about the token. */
async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof GuardError) throw cause;
    throw new GuardError('temporarily_unavailable', 'the provider cannot be asked about the access token at the moment', { cause });
  }
}
