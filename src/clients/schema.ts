import { z } from 'zod';
import { isPlain } from '../lib/names.ts';

/** What a key pair can be made for. */
export const KEY_ALGORITHMS = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const;
/** Seconds for which the secrets before may count beside a new one: 90 days. */
export const LONGEST_OVERLAP = 90 * 86_400;

const text = (longest: number) => z.string().min(1).max(longest);
const plain = (longest: number) => text(longest).refine(isPlain, 'must be ordinary characters on one line');
/**
 * Nothing that ends a header, that browsers leave out or read as something else, or that hides what is shown (RFC 3986 §2). Not as a pattern: the document of
 * the API would show it without its flag, and to some readers it would then mean something else.
 */
const uri = z.string().min(1).max(2000).refine((text) => /^[^\s\p{C}\\]+$/u.test(text), 'must be a URI: without spaces, backslashes and characters that nobody sees');
const uris = z.array(uri).max(100);
const words = z.array(text(200)).max(100);
const algorithm = text(50);

/**
 * The metadata of a client (RFC 7591 §2, OpenID Connect Dynamic Client Registration §2 and their relatives, as far as oidc-provider knows them), and
 * what Tandem adds. It says what a member looks like; what a provider supports, and what goes with what, the provider's own rules say after it.
 */
export const METADATA = {
  client_name: plain(200).describe('The name that people see'),
  client_uri: uri.describe('Home page'),
  logo_uri: uri,
  policy_uri: uri.describe('Privacy policy'),
  tos_uri: uri.describe('Terms of service'),
  contacts: z.array(plain(254)).max(20).describe('E-mail addresses of those responsible'),
  software_id: text(255).describe('Kept for information'),
  software_version: text(255).describe('Kept for information'),

  application_type: z.enum(['web', 'native']),
  redirect_uris: uris,
  post_logout_redirect_uris: uris,
  response_types: words,
  response_modes: words,
  grant_types: words,
  scope: z.string().max(2000).describe("The provider's own scopes that it may ask for, such as `openid email`"),
  default_acr_values: words,
  default_max_age: z.int().min(0),
  require_auth_time: z.boolean(),
  initiate_login_uri: uri,
  authorization_details_types: words,

  token_endpoint_auth_method: text(50).describe('`client_secret_basic` unless told otherwise; `client_secret_post`, `private_key_jwt`, `none`, …'),
  token_endpoint_auth_signing_alg: algorithm,
  jwks: z.looseObject({ keys: z.array(z.looseObject({})).max(20) }).describe('Public keys (RFC 7517 §5); or upload them one by one, and the provider hosts them'),
  jwks_uri: uri.describe('Where its public keys are, if the provider does not host them'),
  tls_client_auth_subject_dn: text(1000),
  tls_client_auth_san_dns: text(255),
  tls_client_auth_san_uri: uri,
  tls_client_auth_san_ip: text(50),
  tls_client_auth_san_email: text(254),
  tls_client_certificate_bound_access_tokens: z.boolean(),
  use_mtls_endpoint_aliases: z.boolean(),
  dpop_bound_access_tokens: z.boolean(),

  id_token_signed_response_alg: algorithm,
  id_token_encrypted_response_alg: algorithm,
  id_token_encrypted_response_enc: algorithm,
  userinfo_signed_response_alg: algorithm,
  userinfo_encrypted_response_alg: algorithm,
  userinfo_encrypted_response_enc: algorithm,
  introspection_signed_response_alg: algorithm,
  introspection_encrypted_response_alg: algorithm,
  introspection_encrypted_response_enc: algorithm,
  authorization_signed_response_alg: algorithm,
  authorization_encrypted_response_alg: algorithm,
  authorization_encrypted_response_enc: algorithm,
  request_object_signing_alg: algorithm,
  request_object_encryption_alg: algorithm,
  request_object_encryption_enc: algorithm,
  require_signed_request_object: z.boolean(),
  require_pushed_authorization_requests: z.boolean(),

  subject_type: text(20),
  sector_identifier_uri: uri,
  backchannel_logout_uri: uri,
  backchannel_logout_session_required: z.boolean(),
  backchannel_token_delivery_mode: text(20),
  backchannel_client_notification_endpoint: uri,
  backchannel_authentication_request_signing_alg: algorithm,
  backchannel_user_code_parameter: z.boolean(),

  tandem_attributes: words.describe('Names of claims about people that it may be given; without it, those of its scopes'),
  tandem_confirm: z.enum(['auto', 'always']).describe('When a sign-in by QR code needs the confirm code'),
  tandem_consent: z.enum(['ask', 'implicit']).describe("`implicit` for sites of the provider's own house"),
  tandem_event_stream: z
    .strictObject({ delivery: z.enum(['push', 'poll']), endpoint_url: uri.optional(), events: words })
    .describe('Security events that it is told of; `push` takes an `endpoint_url`'),
  tandem_introspects: words.describe('Audiences whose tokens it may introspect, as their resource server'),
  tandem_level: z.union([z.literal(1), z.literal(2)]).describe('The level that its people must sign in at'),
  tandem_resources: z.record(uri, z.array(text(100)).max(200)).describe('The scopes that it may ask for, by resource indicator; nothing by default'),
  tandem_sector: z.string().regex(/^[\w.-]{1,60}$/, 'must be 1 to 60 letters, digits, dots or dashes').describe('The named group of clients that see one subject of a person'),
} as const;

type Shape = typeof METADATA;
type Optional = { [Name in keyof Shape]: z.ZodOptional<Shape[Name]> };
type Nullable = { [Name in keyof Shape]: z.ZodOptional<z.ZodNullable<Shape[Name]>> };

const entries = Object.entries(METADATA);

export const CLIENT_ID = z.string().regex(/^[A-Za-z0-9][\w.~-]{0,99}$/, 'must be 1 to 100 letters, digits, dots, dashes, tildes or underscores, a letter or digit first')
  .refine((id) => id !== 'new', 'must not be "new": that is where the pages make one');

/** The metadata of a client that is there. */
export const metadataSchema = z.strictObject(Object.fromEntries(entries.map(([name, schema]) => [name, schema.optional()])) as Optional);

/** What a client is made of. */
export const newClientSchema = metadataSchema.extend({ client_id: CLIENT_ID.optional().describe('Random unless it must be a certain one') });

/** What changes of a client: members replace those before, null takes one away (RFC 7396). */
export const clientChangesSchema = z.strictObject(Object.fromEntries(entries.map(([name, schema]) => [name, schema.nullable().optional()])) as Nullable);
