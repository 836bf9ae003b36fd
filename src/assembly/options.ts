import type { Knex } from 'knex';
import type { Context } from '../context.ts';
import type { Feature } from '../features.ts';
import type { KeysOptions } from '../keys/service.ts';
import { systemClock, type Clock } from '../lib/clock.ts';
import { createDatabase } from '../lib/database/database.ts';
import { createEvents, type EventHandlers } from '../lib/events.ts';
import { createKeyRing } from '../lib/key-ring.ts';
import { createLimits } from '../lib/limits.ts';
import { silentLog, type Log } from '../lib/log.ts';
import type { Theme } from '../lib/views/views.ts';
import type { NoticesOptions } from '../notices/notices.ts';
import { checkResources, type Resources } from '../oidc/configuration/resources.ts';

export interface TandemOptions {
  /** Your knex instance; Tandem's tables are prefixed `tandem_`. You end it. */
  readonly db: Knex;
  /** The provider's issuer identifier: an origin, or an origin and a mount path. */
  readonly issuer: string;
  readonly secrets: {
    /** 32 bytes each, base64url: the first encrypts, all decrypt. */
    readonly encryption: readonly string[];
  };
  readonly features?: readonly Feature[];
  /** Called after the commit of what happened; what they throw is logged and changes nothing. */
  readonly on?: EventHandlers;
  /** Resource servers that access tokens can be made for, by resource indicator; with the feature `admin()` there are those of its registry beside them. */
  readonly resources?: Resources;
  /** The provider's own API, `{issuer}/api`. `format` of its access tokens; default: `opaque`, which can be revoked at once. */
  readonly api?: { readonly format?: 'opaque' | 'jwt' };
  /** The level at which everybody must sign in: 2 for two factors (`acr` `urn:tandem:acr:2`); default: 1. */
  readonly level?: 1 | 2;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly theme?: Theme;
  /** Where the phone web app lives, if not on the issuer's origin. */
  readonly phone?: { readonly origin?: string };
  readonly keys?: KeysOptions;
  /** Where notices to accounts about their security go: by SMTP, into a folder (default: `data/mail`), or to you. */
  readonly notices?: NoticesOptions;
  readonly audit?: {
    /** Days for which the audit log is kept; for ever unless given. Older events are swept. */
    readonly keepDays?: number;
  };
}

const OPTIONS = ['db', 'issuer', 'secrets', 'features', 'on', 'resources', 'api', 'level', 'clock', 'log', 'theme', 'phone', 'keys', 'notices', 'audit'];

/** @throws TypeError naming the option that is wrong */
export function checkOptions(options: TandemOptions): void {
  const unknown = Object.keys(options).filter((key) => !OPTIONS.includes(key));
  if (unknown.length) throw new TypeError(`tandem: there is no option ${unknown.join(', ')}; there are ${OPTIONS.join(', ')}`);
  if (!URL.canParse(options.issuer) || /[?#]/.test(options.issuer)) throw new TypeError('tandem: issuer must be a URL without query and fragment');
  if (options.level !== undefined && ![1, 2].includes(options.level)) throw new TypeError('tandem: level must be 1 or 2');
  checkResources(options.resources ?? {});
  checkApi(options.api ?? {});
  const { keepDays = 1, ...others } = options.audit ?? {};
  if (!Number.isFinite(keepDays) || keepDays <= 0) throw new TypeError('tandem: audit.keepDays must be a number of days above 0');
  const [other] = Object.keys(others);
  if (other !== undefined) throw new TypeError(`tandem: there is no option audit.${other}; there is keepDays`);
  const names = (options.features ?? []).map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice) throw new TypeError(`tandem: the feature ${twice}() is listed twice`);
}

function checkApi({ format = 'opaque', ...others }: NonNullable<TandemOptions['api']>): void {
  const [other] = Object.keys(others);
  if (other !== undefined) throw new TypeError(`tandem: there is no option api.${other}; there is format`);
  if (!['opaque', 'jwt'].includes(format)) throw new TypeError('tandem: api.format must be opaque or jwt');
}

/** What every room is given. */
export function createContext({ db: knex, secrets, on, clock = systemClock, log = silentLog }: TandemOptions, issuer: string): Context {
  const db = createDatabase(knex);
  const events = createEvents({ clock, log, ...(on && { on }) });
  return { issuer, db, clock, log, keyRing: createKeyRing(secrets.encryption), limits: createLimits({ db, clock }), events };
}
