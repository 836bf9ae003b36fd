import type Router from '@koa/router';
import type { Middleware } from 'koa';
import type { AdapterConstructor, AdapterFactory, Client, Configuration, FindAccount, JWKS, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Context } from '../context.ts';
import { pageHeaders } from '../lib/http/headers.ts';
import type { Http } from '../lib/http/http.ts';
import { mergeConfiguration } from './configuration/configuration.ts';
import { createDeviceSignIns } from './device-sign-ins/device-sign-ins.ts';
import { createGate, type Gate } from './gate.ts';
import { createGrantLoader } from './grants.ts';
import { createInteractions, type Interactions } from './interactions.ts';
import { adjustContext, pinOrigin } from './origin.ts';
import { createProviderPages } from './pages.ts';
import type { Resources } from './configuration/resources.ts';
import { oidcRoutes, type OidcPages } from './routes.ts';
import type { SignInMethod } from './sign-in.ts';
import { createSubjects, sectorOf } from './subjects/subjects.ts';

export interface OidcOptions {
  readonly http: Http;
  readonly resources: Resources;
  readonly adapter: AdapterConstructor | AdapterFactory;
  readonly keys: () => { readonly jwks: JWKS; readonly cookieKeys: string[] };
  /** Tandem's own accounts, where they are on. */
  readonly findAccount: FindAccount | undefined;
}

/** Creates the room around the provider: its configuration, its pages, and what other rooms need of it. */
export function createOidc(context: Context, { http, resources, adapter, keys, findAccount }: OidcOptions) {
  const { issuer, keyRing, log, events } = context;
  const subjects = findAccount && createSubjects(context);
  const signIns = createDeviceSignIns(context);
  const pages = createProviderPages(http.views);
  const attached: { provider?: Provider; interactions?: Interactions; gate?: Gate } = {};
  const interactions = late(() => attached.interactions);
  const gate = late(() => attached.gate);

  events.subscribe(async (tx, event) => {
    // The payload is the devices room's; a host without that room never emits it.
    const { name, payload } = event as { name: string; payload: { deviceId?: string; reason?: string } };
    if (name === 'device.revoked' && payload.reason === 'lost' && payload.deviceId) await signIns.end(tx, payload.deviceId);
  });

  return {
    interactions,
    gate,
    subjects,

    configure(host?: Configuration): Configuration {
      return mergeConfiguration(
        {
          issuer,
          log,
          pages,
          resources,
          adapter,
          keys,
          loadExistingGrant: createGrantLoader(signIns),
          dpopNonceSecret: Buffer.from(keyRing.derive('dpop nonces')[0]),
          accounts: findAccount && {
            findAccount,
            pairwiseIdentifier: (_ctx: KoaContextWithOIDC, accountId: string, client: Client) => subjects!.of(sectorOf(client), accountId),
          },
        },
        host,
      );
    },

    /** Makes `provider` the one that interactions and sessions are of, and returns what goes around its requests. */
    attach(provider: Provider): Middleware[] {
      adjustContext(provider);
      signIns.attach(provider);
      attached.provider = provider;
      attached.interactions = createInteractions(provider, context, { views: http.views, resources, subjects });
      attached.gate = createGate(provider, context, http.browsers);
      provider.on('server_error', (ctx, error) => {
        log.error({ err: error, method: ctx.method, path: ctx.path }, 'the provider failed');
      });
      return [pinOrigin(issuer, provider), mend(provider, issuer)];
    },

    routes(router: Router, methods: readonly SignInMethod[]): OidcPages {
      return oidcRoutes(router, { interactions, gate, methods });
    },

    sweep: () => signIns.sweep(),
    settled: () => signIns.settled(),
  };
}

/** What the provider's own answers lack: page headers wherever HTML is sent, and a body for revocation that clients can read. */
function mend(provider: Provider, issuer: string): Middleware {
  const base = new URL(issuer).pathname.replace(/\/$/, '');
  return async (ctx, next) => {
    // Before, not after: a page of the library that submits itself adds its script's hash to the policy that it finds.
    pageHeaders(ctx);
    await next();
    if (ctx.method === 'POST' && ctx.status === 200 && ctx.body === '' && base + ctx.path === provider.pathFor('revocation')) ctx.body = {};
    if (ctx.response.is('html') === false) for (const name of ['Content-Security-Policy', 'Permissions-Policy', 'X-Frame-Options']) ctx.remove(name);
  };
}

/** Stands for something that exists once a provider is attached. */
function late<T extends object>(get: () => T | undefined): T {
  return new Proxy({} as T, {
    get(_, name) {
      const found = get();
      if (!found) throw new Error('attach a provider first: provider.use(t.attach(provider))');
      return found[name as keyof T];
    },
  });
}
