import type { Metadata } from '../../../clients/types.ts';
import type { Grants } from '../grants.ts';
import { kindOf, stringOf, stringsOf } from './kinds.ts';

/** Something to paste into a program. */
export interface Snippet {
  readonly name: 'env' | 'openid_client' | 'curl';
  readonly file: string;
  readonly text: string;
}

interface Told {
  readonly issuer: string;
  readonly clientId: string;
  readonly metadata: Metadata;
  /** Where it was told just now. */
  readonly secret?: string | undefined;
  readonly privateKey?: object | undefined;
}

type Method = 'secret' | 'key' | 'none';

/** Ready-made pieces for a client: its settings, a program of openid-client, and the same by hand. */
export function snippetsOf(told: Told): Snippet[] {
  const { metadata } = told;
  const method = methodOf(metadata);
  const forPeople = ['web', 'app'].includes(kindOf(metadata));
  return [
    { name: 'env', file: '.env', text: envOf(told, method, forPeople) },
    { name: 'openid_client', file: 'client.mjs', text: programOf(told, method, forPeople) },
    { name: 'curl', file: 'curl', text: forPeople ? curlOfCode(told, method) : curlOfCredentials(told, method) },
  ];
}

function methodOf({ token_endpoint_auth_method: method = 'client_secret_basic' }: Metadata): Method {
  if (method === 'none') return 'none';
  return method === 'private_key_jwt' ? 'key' : 'secret';
}

/** A value of a `.env` file, which shells read, too: a client that registered itself has chosen its URIs, and those may have quotes. */
const quoted = (value: string) => (/^[\w./:@-]*$/.test(value) ? value : shellText(value));

function envOf({ issuer, clientId, metadata, secret, privateKey }: Told, method: Method, forPeople: boolean): string {
  const lines = [`ISSUER=${issuer}`, `CLIENT_ID=${quoted(clientId)}`];
  if (method === 'secret') lines.push(`CLIENT_SECRET=${secret ?? ''}`);
  if (method === 'key') lines.push(`CLIENT_KEY=${privateKey ? quoted(JSON.stringify(privateKey)) : ''}`);
  const [redirect] = stringsOf(metadata['redirect_uris']);
  if (forPeople && redirect !== undefined) lines.push(`REDIRECT_URI=${quoted(redirect)}`);
  return `${lines.join('\n')}\n`;
}

function programOf({ issuer, metadata }: Told, method: Method, forPeople: boolean): string {
  const post = metadata['token_endpoint_auth_method'] === 'client_secret_post';
  const proof = { secret: `client.ClientSecret${post ? 'Post' : 'Basic'}(process.env.CLIENT_SECRET)`, key: 'client.PrivateKeyJwt(key)', none: 'client.None()' }[method];
  const insecure = issuer.startsWith('http:') ? ', { execute: [client.allowInsecureRequests] }' : '';
  const head = [
    "import * as client from 'openid-client';",
    ...(method === 'key' ? ["import { importJWK } from 'jose';", '', 'const jwk = JSON.parse(process.env.CLIENT_KEY);', 'const key = { key: await importJWK(jwk, jwk.alg), kid: jwk.kid };'] : []),
    '',
    'const { ISSUER, CLIENT_ID } = process.env;',
    `const proof = ${proof};`,
    `const config = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, proof${insecure});`,
    '',
  ];
  return `${[...head, ...(forPeople ? codeFlow(metadata) : credentials(metadata))].join('\n')}\n`;
}

function codeFlow(metadata: Metadata): string[] {
  return [
    '// To sign in: keep both for this browser, and send it to the address.',
    'const codeVerifier = client.randomPKCECodeVerifier();',
    'const state = client.randomState();',
    'const to = client.buildAuthorizationUrl(config, {',
    '  redirect_uri: process.env.REDIRECT_URI,',
    `  scope: ${scriptText(scopeOf(metadata))},`,
    '  code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),',
    "  code_challenge_method: 'S256',",
    '  state,',
    '});',
    '',
    '// When it comes back to REDIRECT_URI:',
    'export async function signedIn(currentUrl) {',
    '  const tokens = await client.authorizationCodeGrant(config, currentUrl, {',
    '    pkceCodeVerifier: codeVerifier,',
    '    expectedState: state,',
    '  });',
    '  return tokens.claims();',
    '}',
    '',
    'console.log(to.href);',
  ];
}

function credentials(metadata: Metadata): string[] {
  const [resource, scope] = firstGrant(metadata);
  return [
    ...(resource === undefined
      ? ['const tokens = await client.clientCredentialsGrant(config);']
      : ['const tokens = await client.clientCredentialsGrant(config, {', `  resource: ${scriptText(resource)},`, `  scope: ${scriptText(scope)},`, '});']),
    'console.log(tokens.access_token);',
  ];
}

function proofOfCurl(method: Method, post: boolean): string[] {
  if (method === 'secret' && !post) return ['--user "$CLIENT_ID:$CLIENT_SECRET"'];
  const id = '--data-urlencode "client_id=$CLIENT_ID"';
  if (method === 'secret') return [id, '--data-urlencode "client_secret=$CLIENT_SECRET"'];
  if (method === 'none') return [id];
  return [id, '--data-urlencode "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"', '--data-urlencode "client_assertion=$SIGNED_JWT"'];
}

const isPost = (metadata: Metadata) => metadata['token_endpoint_auth_method'] === 'client_secret_post';
const command = (parts: readonly string[]) => `${parts.join(' \\\n  ')}\n`;

function curlOfCredentials({ metadata }: Told, method: Method): string {
  const [resource, scope] = firstGrant(metadata);
  return command([
    'curl "$ISSUER/token"',
    ...proofOfCurl(method, isPost(metadata)),
    '--data grant_type=client_credentials',
    ...(resource === undefined ? [] : [`--data-urlencode ${shellText(`resource=${resource}`)}`, `--data-urlencode ${shellText(`scope=${scope}`)}`]),
  ]);
}

function curlOfCode({ metadata }: Told, method: Method): string {
  return command([
    'curl "$ISSUER/token"',
    ...proofOfCurl(method, isPost(metadata)),
    '--data grant_type=authorization_code',
    '--data-urlencode "redirect_uri=$REDIRECT_URI"',
    '--data-urlencode "code=$CODE"',
    '--data-urlencode "code_verifier=$CODE_VERIFIER"',
  ]);
}

/** As a string of a script, and of a shell: what an administrator has typed must not end it. */
const scriptText = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
const shellText = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

function firstGrant({ tandem_resources: grants }: Metadata): [resource: string | undefined, scope: string] {
  const [first] = Object.entries((grants ?? {}) as Grants).filter(([, scopes]) => scopes.length > 0);
  return first ? [first[0], first[1].join(' ')] : [undefined, ''];
}

export const scopeOf = (metadata: Metadata): string => stringOf(metadata['scope']) || 'openid';
