import type { RegistrationPolicy } from '../../index.ts';
import { UsageError, command, type Command } from '../command-line/command.ts';
import { PAGE, more, pages } from '../command-line/pages.ts';
import { readObject, seconds } from '../command-line/read.ts';
import { fields, instant, table } from '../command-line/text.ts';
import { withRegistry } from '../with-tandem.ts';
import { grantsOf } from './client-metadata.ts';
import { registrationTokenJson } from './shapes.ts';

/** What a policy is called in JSON, and here. */
const MEMBERS = { grant_types: 'grantTypes', auth_methods: 'authMethods', redirect_hosts: 'redirectHosts', scopes: 'scopes', metadata: 'metadata' } as const satisfies Record<string, keyof RegistrationPolicy>;

/** `tandem registration-tokens …`: tokens with which a client registers itself, once (RFC 7591). */
export const registrationTokens: readonly Command[] = [
  command({
    name: 'registration-tokens list',
    about: 'lists the tokens by which clients register themselves, and what became of them',
    options: PAGE,
    run: ({ given, json }) => withRegistry(json, async ({ admin }) => {
      const { items, cursor } = await pages(given, async (page) => {
        const found = await admin.registrationTokens.list(page);
        return { items: found.tokens, ...(found.cursor !== undefined && { cursor: found.cursor }) };
      });
      const rows = items.map(({ id, label, state, expiresAt, clientId }) => [id, label, state, instant(expiresAt), clientId ?? '']);
      return {
        json: { registration_tokens: items.map(registrationTokenJson), ...(cursor !== undefined && { next_cursor: cursor }) },
        text: table(['token', 'label', 'state', 'expires', 'client'], rows, 'there are no registration tokens') + more(cursor),
      };
    }),
  }),
  command({
    name: 'registration-tokens create',
    about: 'makes a token for one registration, printed once',
    options: {
      label: { value: 'TEXT', about: 'what it is for' },
      'expires-in': { value: 'TIME', about: 'its life: 60s to 30d; a day unless given' },
      'grant-type': { value: 'TYPE', many: true, about: 'a grant type that the client may ask for' },
      'auth-method': { value: 'METHOD', many: true, about: 'a method of authentication that it may ask for' },
      'redirect-host': { value: 'HOST', many: true, about: 'a host of its redirect URIs: shop.example, or *.shop.example' },
      scope: { value: 'SCOPE', many: true, about: 'a scope of the provider that it may ask for; with RESOURCE=SCOPES what it is given of a resource server' },
      policy: { value: 'FILE', about: 'the policy as a JSON object: grant_types, auth_methods, redirect_hosts, scopes, metadata. Options go before it' },
    },
    run: ({ given, json }) => withRegistry(json, async (registry) => {
      const policy = given.policy === undefined ? {} : policyOf(await readObject(given.policy), given.policy);
      const granted = await grantsOf((given.scope ?? []).filter((scope) => scope.includes('=')), registry);
      const asked: RegistrationPolicy = {
        ...policy,
        ...(given['grant-type'] && { grantTypes: given['grant-type'] }),
        ...(given['auth-method'] && { authMethods: given['auth-method'] }),
        ...(given['redirect-host'] && { redirectHosts: given['redirect-host'] }),
        ...(given.scope?.some((scope) => !scope.includes('=')) && { scopes: given.scope.filter((scope) => !scope.includes('=')) }),
        ...(Object.keys(granted).length > 0 && { metadata: { ...policy.metadata, tandem_resources: granted } }),
      };
      const { token, value } = await registry.admin.registrationTokens.create({ label: given.label, expiresIn: seconds('--expires-in', given['expires-in']), policy: asked }, registry.actor);
      return {
        json: { ...registrationTokenJson(token), initial_access_token: value },
        text: `${fields([['ID', token.id], ['TOKEN', value], ['EXPIRES', instant(token.expiresAt)]])}\n\nThe token is not shown again. It registers one client: POST ${registry.issuer}/reg`,
      };
    }),
  }),
  command({
    name: 'registration-tokens revoke',
    about: 'ends a token that was not used',
    operands: ['<token-id>'],
    run: ({ operands: [id], json }) => withRegistry(json, async ({ admin, actor }) => {
      await admin.registrationTokens.revoke(id!, actor);
      return { json: { id, revoked: true }, text: `${id} is worth nothing now` };
    }),
  }),
];

function policyOf(value: Readonly<Record<string, unknown>>, file: string): RegistrationPolicy {
  const unknown = Object.keys(value).find((member) => !Object.hasOwn(MEMBERS, member));
  if (unknown !== undefined) throw new UsageError(`${file}: there is no ${unknown} in a policy; there are ${Object.keys(MEMBERS).join(', ')}`);
  return Object.fromEntries(Object.entries(value).map(([member, content]) => [MEMBERS[member as keyof typeof MEMBERS], content]));
}
