import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';

/** A setting that cannot be used; `message` is one line that names the variable and the mend. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

const flag = z.stringbool({ error: 'must be true or false' });
const port = z.string().regex(/^\d{1,5}$/, 'must be a port number').transform(Number).refine((number) => number <= 65_535, 'must be a port number');
const days = z.string().regex(/^[1-9]\d{0,4}$/, 'must be a whole number of days, 1 or more').transform(Number);
const path = z.string().min(1);
const origin = z
  .string()
  .refine((text) => originOf(text) !== undefined, { error: 'must be an origin such as https://id.example.com, without a path', abort: true })
  .refine(
    (text) => text.startsWith('https:') || LOOPBACK.has(new URL(text).hostname),
    'must begin with https:// (plain http is for localhost alone: put a proxy in front, or give TLS_CERT and TLS_KEY)',
  );
const smtpUrl = z
  .string()
  .refine((text) => /^smtps?:\/\/./.test(text) && URL.canParse(text) && new URL(text).hostname !== '', 'must be a URL such as smtps://user:password@mail.example.com:465');
const mailFrom = z
  .string()
  .refine((text) => /^([^<>"\p{C}]{0,100} )?<[^\s@<>,;:"\p{C}]+@[^\s@<>,;:"\p{C}]+>$|^[^\s@<>,;:"\p{C}]+@[^\s@<>,;:"\p{C}]+$/u.test(text), 'must be one sender, such as Tandem <no-reply@id.example.com>');
const encryptionKeys = z
  .string()
  .transform((text) => text.split(',').map((key) => key.trim()))
  .refine((keys) => keys.every(isKey), 'must be 32 bytes as base64url, several of them separated by commas; `npx tandem secret` prints one')
  .refine((keys) => new Set(keys).size === keys.length, 'must not give a key twice');
const proxies = z
  .string()
  .transform((text) => ({ true: '1', false: '0' })[text] ?? text)
  .refine((text) => /^\d$/.test(text), 'must be the number of proxies in front, such as 1')
  .transform(Number);

/** Every setting there is: the variable, what it may be, what it means, and what it is when it is not given. */
export const SETTINGS = {
  NODE_ENV: { schema: z.enum(['development', 'production', 'test'], { error: 'must be development, production or test' }), default: 'development', about: '`production` demands ENCRYPTION_KEY and ISSUER, logs JSON, and turns the demo off' },
  ISSUER: { schema: origin, default: 'http://localhost:PORT', about: 'Where people and clients reach the provider; every URL begins with it. Needed in production' },
  PORT: { schema: port, default: '3000', about: 'Port to listen on; 0 for any free one' },
  HOST: { schema: z.string().min(1), default: '127.0.0.1; 0.0.0.0 in production', about: 'Address to listen on' },
  DATABASE_URL: { schema: z.string().regex(/^(sqlite:|postgres(ql)?:\/\/|mysql:\/\/|mariadb:\/\/)./, 'must begin with sqlite:, postgres://, mysql:// or mariadb://'), default: 'sqlite:./data/tandem.sqlite', about: 'The database; `sqlite:./file`, `postgres://user:password@host/name`, `mysql://…` or `mariadb://…`' },
  ENCRYPTION_KEY: { schema: encryptionKeys, default: 'made beside an SQLite file, else in ./data; none in production', about: 'Encrypts the secrets in the database. Several, separated by commas: the first encrypts, all decrypt' },
  TRUST_PROXY: { schema: proxies, default: '0', about: 'How many proxies in front are trusted to say the caller’s address in X-Forwarded-For' },
  TLS_CERT: { schema: path, default: '', about: 'Path of a PEM certificate chain, to serve https; together with TLS_KEY' },
  TLS_KEY: { schema: path, default: '', about: 'Path of the PEM private key of TLS_CERT' },
  LOG_LEVEL: { schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { error: 'must be fatal, error, warn, info, debug, trace or silent' }), default: 'info', about: 'The least severe messages that are logged' },
  LEVEL: { schema: z.enum(['1', '2'], { error: 'must be 1 or 2' }), default: '1', about: 'The level at which everybody signs in; 2 for two factors, always' },
  INSECURE_UNAUTHENTICATED_2FA_API: { schema: flag, default: 'false', about: 'Opens the two-call 2FA API to callers that are no registered clients. Whoever reaches the provider can then try passwords and codes at it, held back by limits alone' },
  AUDIT_DAYS: { schema: days, default: '', about: 'For how many days the audit log is kept; for ever unless given' },
  SMTP_URL: { schema: smtpUrl, default: '', about: 'The mail server for notices to accounts, such as `smtps://user:password@mail.example.com:465`. Plain smtp:// demands STARTTLS unless it is this host' },
  MAIL_FROM: { schema: mailFrom, default: 'no-reply@ the issuer’s host', about: 'The sender of notices, such as `Tandem <no-reply@id.example.com>`' },
  MAIL_FOLDER: { schema: path, default: 'mail beside an SQLite file, else ./data/mail', about: 'Folder in which notices are written as .eml files where there is no SMTP_URL' },
  DEMO: { schema: flag, default: 'true; false in production', about: 'Starts the demo relying site, with a demo account' },
  DEMO_PORT: { schema: port, default: 'PORT + 1', about: 'Port of the demo relying site' },
  PHONE_ORIGIN: { schema: origin, default: '', about: 'Origin on which the phone web app is served, where that is another than the issuer’s' },
  CLIENTS_FILE: { schema: path, default: '', about: 'Path of a JSON file: an array of client metadata (OpenID Connect Dynamic Client Registration §2)' },
  THEME_NAME: { schema: z.string().trim().min(1).max(60, 'must be at most 60 characters'), default: 'Tandem', about: 'The name that pages show' },
  THEME_LOGO: { schema: z.string().regex(/^https:\/\/\S+$/, 'must be an https URL'), default: '', about: 'URL of the logo that pages show' },
} as const satisfies Record<string, { schema: z.ZodType; default: string; about: string }>;

export type SettingName = keyof typeof SETTINGS;

/** The settings as the server uses them. */
export interface Config {
  readonly production: boolean;
  /** Undefined where it follows from the port that the system gives. */
  readonly issuer: string | undefined;
  readonly port: number;
  readonly host: string;
  readonly databaseUrl: string;
  /** Undefined where a development key is made in `dataFolder`. */
  readonly encryptionKeys: readonly string[] | undefined;
  /** Where the files made on first start live; undefined when nothing outlives the process. */
  readonly dataFolder: string | undefined;
  readonly trustedProxies: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  /** 2 where everybody signs in with two factors. */
  readonly level: 1 | 2;
  /** Whether the two-call 2FA API is open to callers that are no clients. */
  readonly openTwoCallApi: boolean;
  /** Undefined where the audit log is kept for ever. */
  readonly auditDays: number | undefined;
  readonly mail: {
    /** With the password in it: never logged. */
    readonly smtpUrl: string | undefined;
    /** Undefined where it follows from the issuer. */
    readonly from: string | undefined;
    readonly folder: string;
  };
  readonly demo: { readonly port: number } | undefined;
  readonly phoneOrigin: string | undefined;
  readonly clientsFile: string | undefined;
  readonly theme: { readonly name: string; readonly logo: string | undefined };
}

/**
 * Reads the settings. A variable that is empty counts as not given.
 *
 * @throws ConfigError naming the first bad variable and the mend; it never quotes a value, which may be a secret
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = <N extends SettingName>(name: N): z.output<(typeof SETTINGS)[N]['schema']> | undefined => {
    const text = env[name]?.trim();
    if (!text) return undefined;
    const result = SETTINGS[name].schema.safeParse(text);
    if (!result.success) throw new ConfigError(`${name}: ${result.error.issues[0]?.message ?? 'cannot be used'}`);
    return result.data as z.output<(typeof SETTINGS)[N]['schema']>;
  };

  const production = given('NODE_ENV') === 'production';
  const listenPort = given('PORT') ?? 3000;
  const tls = pairOf(given('TLS_CERT'), given('TLS_KEY'));
  const databaseUrl = given('DATABASE_URL') ?? SETTINGS.DATABASE_URL.default;
  const encryptionKeys = given('ENCRYPTION_KEY');
  if (production && !encryptionKeys) {
    throw new ConfigError('ENCRYPTION_KEY: must be given in production; `npx tandem secret` prints one, keep it where you keep secrets');
  }
  const issuer = given('ISSUER');
  if (production && !issuer) throw new ConfigError('ISSUER: must be given in production, such as https://id.example.com');

  return {
    production,
    issuer: issuer === undefined ? undefined : originOf(issuer),
    port: listenPort,
    host: given('HOST') ?? (production ? '0.0.0.0' : '127.0.0.1'),
    databaseUrl,
    encryptionKeys,
    dataFolder: folderOf(databaseUrl),
    trustedProxies: given('TRUST_PROXY') ?? 0,
    tls,
    logLevel: given('LOG_LEVEL') ?? 'info',
    level: given('LEVEL') === '2' ? 2 : 1,
    openTwoCallApi: given('INSECURE_UNAUTHENTICATED_2FA_API') ?? false,
    auditDays: given('AUDIT_DAYS'),
    mail: { smtpUrl: given('SMTP_URL'), from: given('MAIL_FROM'), folder: resolve(given('MAIL_FOLDER') ?? join(folderOf(databaseUrl) ?? 'data', 'mail')) },
    demo: (given('DEMO') ?? !production) ? { port: given('DEMO_PORT') ?? nextPort(listenPort) } : undefined,
    phoneOrigin: originOf(given('PHONE_ORIGIN')),
    clientsFile: given('CLIENTS_FILE'),
    theme: { name: given('THEME_NAME') ?? SETTINGS.THEME_NAME.default, logo: given('THEME_LOGO') },
  };
}

/** The settings as a table for a terminal. */
export function describeSettings(): string {
  return Object.entries(SETTINGS)
    .map(([name, { default: fallback, about }]) => `  ${name.padEnd(15)} ${about}${fallback ? ` (default: ${fallback})` : ''}`)
    .join('\n');
}

function pairOf(cert: string | undefined, key: string | undefined) {
  if (cert && key) return { cert, key };
  if (cert) throw new ConfigError('TLS_KEY: must be given together with TLS_CERT');
  if (key) throw new ConfigError('TLS_CERT: must be given together with TLS_KEY');
  return undefined;
}

/** The folder of an SQLite file; `./data` for a database server; none for a database in memory. */
function folderOf(databaseUrl: string): string | undefined {
  if (!databaseUrl.startsWith('sqlite:')) return resolve('data');
  const file = databaseUrl.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '');
  return file === ':memory:' ? undefined : dirname(resolve(file));
}

function originOf(text: string | undefined): string | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const bare = /^https?:$/.test(url.protocol) && url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password;
  return bare ? url.origin : undefined;
}

function isKey(text: string): boolean {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.byteLength === 32 && bytes.toString('base64url') === text;
}

function nextPort(taken: number): number {
  return taken === 0 || taken === 65_535 ? 0 : taken + 1;
}
