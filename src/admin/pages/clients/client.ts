import type { RegisteredClient } from '../../../clients/types.ts';
import type { Context as KoaContext } from 'koa';
import { AppError } from '../../../errors.ts';
import { base64url, randomToken, sha256 } from '../../../lib/crypto.ts';
import type { RouteContext } from '../../../lib/http/route.ts';
import { SECTIONS, type Desk } from '../desk.ts';
import { wordsOf, type Grants } from '../grants.ts';
import { clientPath, nameOr } from '../references.ts';
import { kindOf, SECRET_METHODS, signsPeopleIn, stringOf, stringsOf } from './kinds.ts';
import { clientOf } from './listing.ts';
import { scopeOf, snippetsOf } from './snippets.ts';

const TABS = ['overview', 'settings', 'access', 'credentials', 'connect'] as const;
export type Tab = (typeof TABS)[number];
const MANAGED_LIMIT = 200;

/** What the pages of a client have in common: its name, and the ways between them. */
export function clientHead({ say }: Desk, ctx: KoaContext, { clientId, metadata, origin }: RegisteredClient, tab: Tab) {
  const tabs = TABS.map((each) => ({ label: say(ctx, `tab_${each}`), path: clientPath(clientId, each === 'overview' ? '' : `/${each}`), current: each === tab }));
  return { name: nameOr(metadata, clientId), id: clientId, kind: say(ctx, `kind_${kindOf(metadata)}`), itself: origin === 'registration', tabs };
}

/** The pages that show a client, and the one that deletes it. */
export function clientPages(desk: Desk): void {
  const { admin, issuer, views, say, date } = desk;

  desk.page({ path: `${SECTIONS.clients}/:id` }, async (ctx) => {
    const client = await clientOf(desk, ctx);
    const { clientId, metadata, createdAt, updatedAt, secrets, keys } = client;
    const data = {
      head: clientHead(desk, ctx, client, 'overview'),
      facts: factsOf(ctx, client),
      dates: say(ctx, 'dates', { created: date(ctx, createdAt), updated: date(ctx, updatedAt) }),
      grants: await grantedOf(ctx, (metadata['tandem_resources'] ?? {}) as Grants),
      secrets: secrets.length,
      keys: keys.length,
      lacks: lacking(client),
      managed: await managedBy(clientId),
      test: testSignIn(client),
      path: (below: string) => clientPath(clientId, below),
    };
    desk.show(ctx, 'admin/clients/client', data, { section: 'clients', title: nameOr(metadata, clientId) });
  });

  desk.page({ path: `${SECTIONS.clients}/:id/connect` }, async (ctx) => {
    const client = await clientOf(desk, ctx);
    const { clientId, metadata } = client;
    const data = {
      head: clientHead(desk, ctx, client, 'connect'),
      snippets: snippetsOf({ issuer, clientId, metadata }),
      discovery: `${issuer}/.well-known/openid-configuration`,
      test: testSignIn(client),
    };
    desk.show(ctx, 'admin/clients/connect', data, { section: 'clients', title: nameOr(metadata, clientId) });
  });

  const remove = (ctx: RouteContext) => clientPath(ctx.params['id'] ?? '', '/delete');
  desk.page({ path: `${SECTIONS.clients}/:id/delete` }, async (ctx) => {
    const { clientId, metadata } = await clientOf(desk, ctx);
    const data = { name: nameOr(metadata, clientId), id: clientId, action: remove(ctx), back: clientPath(clientId), managed: await managedBy(clientId) };
    desk.show(ctx, 'admin/clients/delete', data, { section: 'clients', title: say(ctx, 'delete_client') });
  });

  desk.form({ path: `${SECTIONS.clients}/:id/delete`, at: remove }, async (ctx, { actor }) => {
    const { clientId } = await clientOf(desk, ctx);
    await admin.clients.remove(clientId, actor);
    desk.goOn(ctx, SECTIONS.clients, 'client_deleted');
  });

  /** How many accounts it manages, where clients can; the last of a great many are not counted. */
  async function managedBy(clientId: string): Promise<{ count: number; more: boolean } | undefined> {
    try {
      const { accounts, cursor } = await admin.accounts.managedBy(clientId, { limit: MANAGED_LIMIT });
      return { count: accounts.length, more: cursor !== undefined };
    } catch (error) {
      if (error instanceof AppError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  /** What a client would authenticate with, and has none of. */
  function lacking({ metadata, secrets, keys }: RegisteredClient): 'secret' | 'key' | undefined {
    const method = stringOf(metadata['token_endpoint_auth_method']) || 'client_secret_basic';
    if (SECRET_METHODS.includes(method)) return secrets.length === 0 ? 'secret' : undefined;
    const elsewhere = metadata['jwks'] !== undefined || (metadata['jwks_uri'] !== undefined && !stringOf(metadata['jwks_uri']).startsWith(`${issuer}/clients/`));
    return method === 'private_key_jwt' && keys.length === 0 && !elsewhere ? 'key' : undefined;
  }

  function factsOf(ctx: KoaContext, { metadata }: RegisteredClient) {
    const method = stringOf(metadata['token_endpoint_auth_method']) || 'client_secret_basic';
    const grants = stringsOf(metadata['grant_types'] ?? ['authorization_code']);
    const option = (value: string) => (['authorization_code', 'refresh_token', 'client_credentials', 'client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'].includes(value) ? say(ctx, `option_${value}`) : value);
    const facts: Array<{ label: string; values: string[]; mono: boolean }> = [
      { label: say(ctx, 'field_grant_types'), values: grants.map(option), mono: false },
      { label: say(ctx, 'field_token_endpoint_auth_method'), values: [option(method)], mono: false },
      { label: say(ctx, 'field_redirect_uris'), values: stringsOf(metadata['redirect_uris']), mono: true },
      { label: say(ctx, 'field_scope'), values: [stringOf(metadata['scope'])], mono: true },
      { label: say(ctx, 'field_tandem_level'), values: [metadata['tandem_level'] === 2 ? say(ctx, 'option_2') : ''], mono: false },
      { label: say(ctx, 'field_tandem_sector'), values: [stringOf(metadata['tandem_sector'])], mono: true },
      { label: say(ctx, 'field_tandem_attributes'), values: [stringsOf(metadata['tandem_attributes']).join(' ')], mono: true },
    ];
    return facts.map((fact) => ({ ...fact, values: fact.values.filter(Boolean) })).filter(({ values }) => values.length > 0);
  }

  async function grantedOf(ctx: KoaContext, grants: Grants) {
    const [resources, language] = [await admin.resources.list(), views.language(ctx)];
    return Object.entries(grants)
      .filter(([, scopes]) => scopes.length > 0)
      .map(([identifier, scopes]) => {
        const resource = resources.find((each) => each.identifier === identifier);
        const words = (name: string) => {
          const scope = resource?.scopes.find((each) => each.name === name);
          return { name, words: scope ? wordsOf(scope, language) : '' };
        };
        return { name: resource?.name ?? identifier, identifier, scopes: scopes.map(words) };
      });
  }

  /**
   * Where a sign-in at the client can be seen: its own start (OpenID Connect Core §4), or what it would ask the provider for. A code that comes of that is
   * worth nothing, as nobody knows the verifier (RFC 7636).
   */
  function testSignIn({ clientId, metadata }: RegisteredClient): { url: string; own: boolean } | undefined {
    const [redirect] = stringsOf(metadata['redirect_uris']);
    if (!signsPeopleIn(metadata) || redirect === undefined) return undefined;
    const start = stringOf(metadata['initiate_login_uri']);
    if (URL.canParse(start)) {
      const url = new URL(start);
      url.searchParams.set('iss', issuer);
      return { url: url.href, own: true };
    }
    const request = {
      client_id: clientId,
      response_type: 'code',
      redirect_uri: redirect,
      scope: scopeOf(metadata),
      state: 'test',
      code_challenge: base64url(sha256(randomToken())),
      code_challenge_method: 'S256',
    };
    return { url: `${issuer}/auth?${new URLSearchParams(request).toString()}`, own: false };
  }
}
