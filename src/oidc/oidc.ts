import type Router from '@koa/router';
import type { Context as KoaContext, Middleware } from 'koa';
import type { AdapterConstructor, AdapterFactory, Client, Configuration, FindAccount, JWKS, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Clients } from '../clients/types.ts';
import type { Context } from '../context.ts';
import { loggedPath, referenceOf } from '../lib/http/answers.ts';
import { pageHeaders } from '../lib/http/headers.ts';
import type { Http } from '../lib/http/http.ts';
import { createAccessTokens, type AccessTokens, type Configured } from './access-tokens.ts';
import { mergeConfiguration } from './configuration/configuration.ts';
import type { Level } from './configuration/levels.ts';
import type { RegistrationParts } from './configuration/registration.ts';
import type { Resources, ResourceServers, SigningAlgorithm } from './configuration/resources.ts';
import { assertSignable, signingAlgorithms } from './configuration/signing.ts';
import { createGrantLoader } from './grants.ts';
import { createLedger, type UsableDevices } from './ledger/ledger.ts';
import { adjustContext, pinOrigin } from './origin.ts';
import { createProviderPages } from './pages.ts';
import { createGate, type Gate } from './sign-in/gate.ts';
import { createInteractions, type Interactions } from './sign-in/interactions.ts';
import { oidcRoutes, type OidcPages } from './sign-in/routes.ts';
import type { SecondFactors, SignInMethod } from './sign-in/sign-in.ts';
import { createSubjects, sectorOf } from './subjects/subjects.ts';

export interface OidcOptions {
  readonly http: Http;
  readonly resources: ResourceServers;
  /** Those of them that stay as they are. */
  readonly fixed: Resources;
  readonly adapter: AdapterConstructor | AdapterFactory;
  /** The clients in the database, where their registry is on. */
  readonly clients?: Clients | undefined;
  /** Clients that register themselves, where they may. */
  readonly registration?: RegistrationParts | undefined;
  readonly keys: () => { readonly jwks: JWKS; readonly cookieKeys: string[] };
  /** Tandem's own accounts, where they are on. */
  readonly findAccount: FindAccount | undefined;
  readonly devices: UsableDevices;
  readonly secondFactors: SecondFactors;
  /** The level at which everybody must sign in. */
  readonly level: Level;
  /** Path of the account's pages. */
  readonly home: string;
}

/** Creates the room around the provider: its configuration, its pages, and what other rooms need of it. */
export function createOidc(context: Context, { http, resources, fixed, adapter, clients, registration, keys, findAccount, devices, secondFactors, level, home }: OidcOptions) {
  const { issuer, keyRing, log, events } = context;
  const subjects = findAccount && createSubjects(context);
  const ledger = createLedger(context, { devices, findAccount });
  const pages = createProviderPages(http.views);
  const levels = { site: level, resources };
  const attached: { provider?: Provider; interactions?: Interactions; gate?: Gate; tokens?: AccessTokens } = {};
  // The provider keeps what it is made of to itself.
  let configured: Configured & Pick<Configuration, 'clients' | 'clientDefaults' | 'extraClientMetadata'> = {};
  const interactions = late(() => attached.interactions);
  const gate = late(() => attached.gate);

  events.subscribe(async (tx, event) => {
    // The payloads are other rooms'; a host without them never emits these.
    const { name, payload } = event as { name: string; payload: { deviceId?: string; reason?: string; accountId?: string; sessionUid?: string; kept?: boolean } };
    const { deviceId, reason, accountId, sessionUid: but = '', kept } = payload;
    if (name === 'device.revoked' && reason === 'lost' && deviceId) await ledger.end(tx, { deviceId });
    const others = name === 'account.password_changed' || name === 'second_factor.reset' || (name === 'recovery.used' && !kept);
    if (others && accountId) await ledger.end(tx, { accountId, but });
  });

  return {
    interactions,
    gate,
    subjects,
    tokens: late(() => attached.tokens),
    /** The URL of an endpoint of the attached provider, such as `token`, wherever its host has put it. */
    endpoint(name: string): string {
      if (!attached.provider) throw new Error(NOT_ATTACHED);
      return issuer + attached.provider.pathFor(name, { mountPath: '' });
    },

    /** What it signs JWT access tokens with; the first where a resource server does not say. */
    algorithms: (): readonly SigningAlgorithm[] => signingAlgorithms(configured),

    configure(host?: Configuration): Configuration {
      const merged = mergeConfiguration(
        {
          issuer,
          log,
          pages,
          resources,
          levels,
          secondFactors,
          adapter,
          clients,
          registration,
          keys,
          loadExistingGrant: createGrantLoader(ledger),
          dpopNonceSecret: Buffer.from(keyRing.derive('dpop nonces')[0]),
          accounts: findAccount && {
            findAccount,
            pairwiseIdentifier: (_ctx: KoaContextWithOIDC, accountId: string, client: Client) => subjects!.of(sectorOf(client), accountId),
          },
        },
        host,
      );
      assertSignable(fixed, signingAlgorithms(merged));
      return (configured = merged);
    },

    /**
     * Makes `provider` the one that interactions and sessions are of.
     *
     * @returns what goes before every request, and what goes around those that the provider answers
     */
    attach(provider: Provider): [pin: Middleware, mend: Middleware] {
      adjustContext(provider);
      clients?.attach(provider, configured);
      ledger.attach(provider);
      attached.provider = provider;
      attached.tokens = createAccessTokens({ issuer, provider, configured, subjects });
      attached.interactions = createInteractions(provider, context, { views: http.views, levels, subjects });
      attached.gate = createGate(provider, context, { browsers: http.browsers, secondFactors, ledger, level, home });
      provider.on('server_error', (anyCtx, error) => {
        const ctx = anyCtx as unknown as KoaContext;
        const reference = referenceOf(ctx);
        log.error({ err: error, reference, method: ctx.method, path: loggedPath(ctx) }, 'the provider failed');
        // To programs; pages are rendered with it.
        if ((ctx.body as { error?: unknown } | undefined)?.error === 'server_error') ctx.body = { ...(ctx.body as object), reference };
      });
      return [pinOrigin(issuer, provider), mend(provider)];
    },

    routes(router: Router, methods: readonly SignInMethod[]): OidcPages {
      return oidcRoutes(router, { interactions, gate, methods, home });
    },

    sweep: () => ledger.sweep(),
    settled: () => ledger.settled(),
  };
}

/** Page headers that say nothing about an answer that is no page. */
const FOR_PAGES_ALONE = ['Content-Security-Policy', 'Cross-Origin-Resource-Policy', 'Permissions-Policy', 'X-Frame-Options'];
/** Seconds that discovery and keys may be kept; the next keys are published an hour before they sign. */
const PUBLIC_FOR = 600;

/** Mends what the provider's own answers lack: headers of its pages, and a body of revocation that clients can read. */
function mend(provider: Provider): Middleware {
  const path = (name: string) => provider.pathFor(name, { mountPath: '' });
  const revocation = path('revocation');
  const published = new Set([path('jwks'), '/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']);

  return async (ctx, next) => {
    if (ctx.method !== 'GET') {
      await next();
      if (ctx.path === revocation && ctx.status === 200 && ctx.body === '') ctx.body = {};
      return;
    }
    // Before, not after: a page of the library that submits itself adds its script's hash to the policy that it finds.
    pageHeaders(ctx);
    await next();
    if (ctx.response.is('html') === false) for (const name of FOR_PAGES_ALONE) ctx.remove(name);
    if (published.has(ctx.path) && ctx.status === 200) ctx.set('Cache-Control', `public, max-age=${PUBLIC_FOR}`);
    // The library's page that submits itself names neither language nor encoding.
    if (typeof ctx.body === 'string' && ctx.body.startsWith(BARE_PAGE)) ctx.body = ctx.body.replace(BARE_PAGE, '<!DOCTYPE html>\n<html lang="en">\n<head>\n  <meta charset="utf-8">');
  };
}

const BARE_PAGE = '<!DOCTYPE html>\n<html>\n<head>';

const NOT_ATTACHED = 'attach a provider first: provider.use(t.attach(provider))';

/** Stands for something that exists once a provider is attached. */
function late<T extends object>(get: () => T | undefined): T {
  return new Proxy({} as T, {
    get(_, name) {
      const found = get();
      if (!found) throw new Error(NOT_ATTACHED);
      return found[name as keyof T];
    },
  });
}
