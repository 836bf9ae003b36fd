import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import type { RegistrationPolicy } from '../../registration/types.ts';
import { SECTIONS, type Desk } from './desk.ts';
import { fieldsOf, linesOf, ticked, type FieldSpec, type FormValues } from './fields.ts';
import { grantBoxes, grantsOf, isTickedIn, refuseUnknown } from './grants.ts';
import { problemOf, type Problem } from './problems.ts';
import { clientPath } from './references.ts';

const NEW = `${SECTIONS.tokens}/new`;
const PAGE = 25;
/** Seconds that a token may wait for its registration, by choice. */
const LIVES: Readonly<Record<string, number>> = { hour: 3600, day: 86_400, week: 604_800, month: 2_592_000 };
const GRANTS = ['authorization_code', 'refresh_token', 'client_credentials'];
const METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'];

const FIELDS: readonly FieldSpec[] = [
  { name: 'label', kind: 'text', hint: true },
  { name: 'life', kind: 'select', options: Object.keys(LIVES) },
];
const POLICY: readonly FieldSpec[] = [
  { name: 'allowed_grants', kind: 'checks', options: GRANTS },
  { name: 'allowed_methods', kind: 'checks', options: METHODS },
  { name: 'redirect_hosts', kind: 'area', hint: true, mono: true, rows: 2 },
  { name: 'allowed_scopes', kind: 'text', hint: true, mono: true },
];
const KNOWN = ['label', 'life', 'redirect_hosts', 'allowed_scopes', ...GRANTS.map((each) => `allowed_grants:${each}`), ...METHODS.map((each) => `allowed_methods:${each}`)];

/** The fields of this page by the members of a policy. */
const FIELD_OF: Readonly<Record<string, string>> = { grant_types: 'allowed_grants', auth_methods: 'allowed_methods', redirect_hosts: 'redirect_hosts', scopes: 'allowed_scopes' };

/** What most sites that register themselves need, and no more. */
const FIRST: FormValues = {
  life: 'day',
  'allowed_grants:authorization_code': 'on',
  'allowed_methods:client_secret_basic': 'on',
  'allowed_methods:private_key_jwt': 'on',
  allowed_scopes: 'openid profile email',
};

/** The pages of the tokens by which clients register themselves (RFC 7591). */
export function registrationTokenPages(desk: Desk): void {
  const { admin, issuer, views, say, date, time } = desk;

  async function showList(ctx: KoaContext, cursor?: string, problem?: Problem) {
    const found = await admin.registrationTokens.list({ limit: PAGE, ...(cursor && { cursor }) });
    const tokens = found.tokens.map(({ id, label, state, createdAt, expiresAt, clientId }) => ({
      id,
      title: label || say(ctx, 'token_of', { date: date(ctx, createdAt) }),
      state,
      meta: [say(ctx, `token_${state}`), ...(state === 'open' ? [say(ctx, 'token_until', { time: time(ctx, expiresAt) })] : []), say(ctx, 'created_on', { date: date(ctx, createdAt) })].join(' · '),
      client: clientId === undefined ? '' : clientPath(clientId),
      revoke: `${SECTIONS.tokens}/${encodeURIComponent(id)}/revoke`,
    }));
    const next = found.cursor === undefined ? '' : `${SECTIONS.tokens}?${new URLSearchParams({ cursor: found.cursor }).toString()}`;
    desk.show(ctx, 'admin/tokens/list', { tokens, next, add: NEW, later: cursor !== undefined }, { section: 'tokens', title: say(ctx, 'tokens_title'), problem });
  }

  async function showForm(ctx: KoaContext, values: FormValues, problem?: Problem) {
    const grants = grantBoxes(views, ctx, await admin.resources.list(), isTickedIn(values));
    const data = { fields: fieldsOf(desk, ctx, FIELDS, values, problem), policy: fieldsOf(desk, ctx, POLICY, values, problem), grants, action: NEW, back: SECTIONS.tokens };
    desk.show(ctx, 'admin/tokens/new', data, { section: 'tokens', title: say(ctx, 'new_token'), problem });
  }

  desk.page({ path: SECTIONS.tokens, query: z.object({ cursor: z.string().max(500).optional() }) }, async (ctx, { query }) => showList(ctx, query.cursor));
  desk.page({ path: NEW }, async (ctx) => showForm(ctx, FIRST));

  // Answers with the page itself: the token is kept only as a hash.
  const newBody = z.record(z.string().max(300), z.string().max(20_000));
  desk.form({ path: NEW, body: newBody, at: () => NEW }, async (ctx, { actor, body }) => {
    let made: Awaited<ReturnType<typeof admin.registrationTokens.create>>;
    try {
      refuseUnknown(body, KNOWN);
      const grants = grantsOf(await admin.resources.list(), body);
      const label = body['label']?.trim();
      const expiresIn = LIVES[body['life'] ?? ''];
      made = await admin.registrationTokens.create({ ...(label && { label }), ...(expiresIn !== undefined && { expiresIn }), policy: policyOf(body, grants) }, actor);
    } catch (error) {
      const problem = problemOf(desk, ctx, error);
      return showForm(ctx, body, { ...problem, field: FIELD_OF[problem.field?.split('.')[1] ?? ''] ?? problem.field });
    }
    const { token, value } = made;
    const data = { value, until: time(ctx, token.expiresAt), call: callOf(issuer, value), next: SECTIONS.tokens };
    desk.show(ctx, 'admin/tokens/created', data, { section: 'tokens', title: say(ctx, 'new_token'), status: 201 });
  });

  desk.form({ path: `${SECTIONS.tokens}/:token/revoke`, at: () => SECTIONS.tokens }, async (ctx, { actor }) => {
    try {
      await admin.registrationTokens.revoke(ctx.params['token'] ?? '', actor);
    } catch (error) {
      return showList(ctx, undefined, problemOf(desk, ctx, error));
    }
    desk.goOn(ctx, SECTIONS.tokens, 'token_revoked');
  });
}

function policyOf(body: FormValues, grants: Readonly<Record<string, readonly string[]>>): RegistrationPolicy {
  const scopes = (body['allowed_scopes'] ?? '').split(/[\s,]+/).filter(Boolean);
  const hosts = linesOf(body['redirect_hosts']);
  return {
    grantTypes: ticked(body, 'allowed_grants', GRANTS),
    authMethods: ticked(body, 'allowed_methods', METHODS),
    ...(hosts.length > 0 && { redirectHosts: hosts }),
    scopes,
    ...(Object.keys(grants).length > 0 && { metadata: { tandem_resources: grants } }),
  };
}

const callOf = (issuer: string, token: string) => `curl ${issuer}/reg \\
  --header 'Authorization: Bearer ${token}' \\
  --json '{ "client_name": "My site", "redirect_uris": ["https://www.example.com/callback"] }'
`;
