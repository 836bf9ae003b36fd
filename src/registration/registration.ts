import type { Middleware } from 'koa';
import { errors, type ClientMetadata, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { randomToken } from '../lib/crypto.ts';
import type { RegistrationParts } from '../oidc/configuration/registration.ts';
import { withTokens } from './adapter.ts';
import { checkShape, defaultScope, enforcePolicy } from './policy.ts';
import { acceptHashedSecrets, hideStandIn } from './secrets.ts';
import { createTokenStore } from './store.ts';
import { createTokens, hashOf, type TokensOptions } from './tokens.ts';
import type { InitialAccessTokens } from './types.ts';

export interface RegistrationOptions extends Omit<TokensOptions, 'store'> {
  /** Whether clients may register themselves at all. */
  readonly enabled: boolean;
  /** The `sector_identifier_uri` of a client that names none; where subjects are pairwise. */
  readonly sectorOf: ((clientId: string) => string) | undefined;
}

/** Clients that register and manage themselves (RFC 7591, RFC 7592). */
export interface Registration {
  readonly tokens: InitialAccessTokens;
  /** What of it the provider is configured with; undefined where it is off. */
  readonly provider: RegistrationParts | undefined;
  /** Returns what goes around the requests that the provider answers. */
  attach(provider: Provider): Middleware;
  sweep(): Promise<number>;
}

/** The name of our policy, as tokens of the library carry it. */
const POLICY = 'tandem';
/** How long a token is remembered that nobody used, in milliseconds. */
const REMEMBERED = 90 * 86_400_000;

/**
 * Creates the room of clients that register themselves, with a token that an administrator gave them.
 *
 * A token is used up in the transaction that writes its client: of any number of registrations with it one succeeds, and one that is refused leaves
 * it as it was.
 */
export function createRegistration(context: Context, { enabled, sectorOf, ...options }: RegistrationOptions): Registration {
  const { db, clock, events, issuer } = context;
  const store = createTokenStore(db);
  const tokens = createTokens(context, { store, ...options });
  const judged = new WeakMap<object, { readonly clientId: string; readonly given: Readonly<Record<string, unknown>> }>();
  /** Tokens of the registrations that are under way, by the id that their client is about to have. */
  const pending = new Map<string, { readonly id: string; readonly label: string }>();

  const unknownToken = () => new errors.InvalidToken('initial access token not found');

  events.subscribe(async (tx, { name, payload: { clientId } }) => {
    const token = name === 'client.registered' && clientId !== undefined ? pending.get(clientId) : undefined;
    if (!token || clientId === undefined) return;
    if (!(await store.use(token.id, clientId, clock(), tx))) throw unknownToken();
    await events.emit(tx, 'registration_token.used', { tokenId: token.id, label: token.label, clientId });
  });

  async function judge(ctx: KoaContextWithOIDC, metadata: ClientMetadata): Promise<void> {
    const { oidc } = ctx;
    const { client_id: clientId } = metadata;
    const present = oidc.route === 'client_update' ? oidc.client : undefined;
    const token = present ? await store.findByClient(clientId) : await store.findByHash(hashOf(oidc.entities.InitialAccessToken?.jti ?? ''));
    if (!token) throw unknownToken();
    // As every client of the registry has it.
    if (sectorOf) metadata.sector_identifier_uri ??= sectorOf(clientId);
    // What the provider hosts, it goes on to host.
    if (metadata.jwks === undefined && present?.jwksUri?.startsWith(`${issuer}/clients/`)) metadata.jwks_uri ??= present.jwksUri;
    judged.set(oidc, { clientId, given: (present as Readonly<Record<string, unknown>> | undefined) ?? token.policy.metadata ?? {} });
    checkShape(metadata);
    const Client = oidc.provider.Client as unknown as new (metadata: ClientMetadata, ctx: KoaContextWithOIDC) => { metadata(): ClientMetadata };
    // A copy: the library writes into what it is given.
    const client = new Client(structuredClone(metadata), ctx).metadata();
    enforcePolicy(token.policy, client, present?.metadata());
    const scope = defaultScope(token.policy, client);
    if (scope !== undefined) metadata.scope = scope;
    if (!present) pending.set(clientId, token);
  }

  return {
    tokens: enabled ? tokens : { ...tokens, create: refuseWhereOff },

    provider: enabled
      ? {
          features: {
            registration: { enabled: true, initialAccessToken: true, policies: { [POLICY]: judge }, idFactory: () => randomToken(16), secretFactory: () => randomToken() },
            registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
          },

          adapter: (others) => withTokens(others, { store, clock, policy: POLICY }),

          given: ({ oidc }) => judged.get(oidc)?.given ?? (oidc.route === 'client_update' ? ((oidc.client ?? {}) as Readonly<Record<string, unknown>>) : {}),
        }
      : undefined,

    attach(provider) {
      if (!enabled) return (_ctx, next) => next();
      acceptHashedSecrets(provider);
      const path = provider.pathFor('registration', { mountPath: '' });
      return async (ctx, next) => {
        if (ctx.path !== path && !ctx.path.startsWith(`${path}/`)) return next();
        try {
          await next();
        } finally {
          const { oidc } = ctx as unknown as Partial<KoaContextWithOIDC>;
          const done = oidc && judged.get(oidc);
          if (done) pending.delete(done.clientId);
          if (oidc) hideStandIn(oidc, ctx.body);
        }
      };
    },

    sweep: () => store.prune(clock() - REMEMBERED),
  };
}

async function refuseWhereOff(): Promise<never> {
  throw new AppError('conflict', 'clients cannot register themselves here: dynamic registration is off');
}
