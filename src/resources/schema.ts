import { z } from 'zod';
import { isPlain } from '../lib/names.ts';
import type { SigningAlgorithm } from '../oidc/configuration/resources.ts';

/** Seconds that a token may last: a JWT cannot be taken back. */
export const LIFE = { shortest: 60, longest: { opaque: 86_400, jwt: 3_600 } } as const;

/** What can sign JWTs; a provider may have keys for fewer. */
export const ALGORITHMS = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const satisfies readonly SigningAlgorithm[];

/** RFC 6749 §3.3. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
/** The provider's own, whose words and claims are fixed (OpenID Connect Core §5.4, §11). */
const OF_THE_PROVIDER = new Set(['openid', 'offline_access', 'profile', 'email', 'address', 'phone']);
/** The characters of URIs (RFC 3986 §2), none of which needs to be escaped anywhere. */
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?[\]@!$&'()*+,;=%]+$/;

const plain = (longest: number) =>
  z.string().trim().min(1).max(longest).refine(isPlain, 'must be ordinary characters on one line');

function isLanguage(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag)[0] === tag;
  } catch {
    return false;
  }
}

const absoluteUri = z
  .string()
  .max(255)
  .refine((value) => URI.test(value) && URL.canParse(value), 'must be an absolute URI without a fragment (RFC 8707 §2)')
  .refine((value) => !URL.canParse(value) || (new URL(value).username === '' && new URL(value).password === ''), 'must not have a user name or password');

export const scopeName = z
  .string()
  .min(1)
  .max(100)
  .regex(SCOPE_TOKEN, 'must be visible characters without " and \\ (RFC 6749 §3.3)')
  .refine((name) => !OF_THE_PROVIDER.has(name), 'is the name of a scope of OpenID Connect')
  .meta({ examples: ['orders:read'] });

/** Plain words by language; English at least. */
export const scopeWords = z
  .record(z.string().refine(isLanguage, 'must be a language tag, such as en or pt-BR (BCP 47)'), plain(200))
  .refine((words) => Object.hasOwn(words, 'en'), 'must have words in English, as en')
  .refine((words) => Object.keys(words).length <= 50, 'has at most 50 languages')
  .meta({ description: 'What it lets a client do, in plain words by language (BCP 47); English at least', examples: [{ en: 'Read your orders', de: 'Ihre Bestellungen lesen' }] });

const level = z.literal([1, 2]).describe('2 where it is given only to people who signed in with two factors');

/** A scope, as it is written. */
export const scopeSchema = z.strictObject({ name: scopeName, description: scopeWords, level: level.default(1) });

const settings = {
  name: plain(100).describe('What administrators see'),
  audience: absoluteUri.describe('The `aud` of its tokens; its identifier unless told otherwise'),
  format: z.enum(['opaque', 'jwt']).describe('`opaque` can be revoked and introspected at once; `jwt` (RFC 9068) is for servers that cannot ask'),
  algorithm: z.enum(ALGORITHMS).describe('What signs its JWTs'),
  ttl: z.int().min(LIFE.shortest, `tokens last ${LIFE.shortest} seconds at least`).max(LIFE.longest.opaque, `tokens last ${LIFE.longest.opaque} seconds at most`).describe('Life of its tokens, in seconds; of JWTs at most 3600'),
};

/** What of a resource server may change. */
export const resourceServerChangesSchema = z.strictObject(settings).partial();

/** A resource server, as it is written. */
export const newResourceServerSchema = resourceServerChangesSchema.extend({
  identifier: absoluteUri.describe('The resource indicator (RFC 8707 §2); never changes').meta({ examples: ['https://api.example.com'] }),
  scopes: z
    .array(scopeSchema)
    .max(1000)
    .refine((scopes) => new Set(scopes.map(({ name }) => name)).size === scopes.length, 'must not name a scope twice')
    .optional(),
});
