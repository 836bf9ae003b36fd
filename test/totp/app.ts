import assert from 'node:assert/strict';
import { createEvents } from '../../src/lib/events.ts';
import { createDatabase } from '../../src/lib/database/database.ts';
import { createKeyRing, newEncryptionKey } from '../../src/lib/key-ring.ts';
import { createLimits } from '../../src/lib/limits.ts';
import { createAuthenticators } from '../../src/totp/authenticators/authenticators.ts';
import { accounts, qr, totp, type Feature } from '../../src/index.ts';
import type { HttpBrowser, Page } from '../support/http-browser.ts';
import type { TestDatabase } from '../support/databases.ts';
import { codeOf, wrongCodeOf } from '../support/otp.ts';
import { startTandem, type TestTandem, type TestTandemOptions } from '../support/tandem.ts';

/** The seed that a page shows to be typed into an app. */
export function secretOn(page: Page): string {
  return /data-key>([A-Z2-7 ]+)</.exec(page.body)?.[1]?.replaceAll(' ', '') ?? assert.fail(`no key at ${page.url} (${page.status}): ${page.text.slice(0, 300)}`);
}

/** An authenticator app of somebody. */
export interface App {
  readonly secret: string;
  /** The next code: those before it are used up. */
  code(): string;
  wrongCode(): string;
}

export interface TotpTandem extends TestTandem {
  /** Adds an authenticator to the account, past its pages. */
  addApp(accountId: string): Promise<App>;
}

export const FEATURES: readonly Feature[] = [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr(), totp()];
const STEP = 30_000;

/** A provider whose accounts may have authenticators. */
export async function startWithTotp(database: Pick<TestDatabase, 'open'>, { tandem: given, ...options }: TestTandemOptions = {}): Promise<TotpTandem> {
  const key = newEncryptionKey();
  const tandem = await startTandem(database, { features: FEATURES, ...options, tandem: { ...given, secrets: { encryption: [key] } } });
  const { issuer, knex, clock } = tandem;
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const db = createDatabase(knex);
  const context = { issuer, db, clock, log, keyRing: createKeyRing([key]), limits: createLimits({ db, clock }), events: createEvents({ clock, log }) };
  const service = createAuthenticators(context, { issuerName: 'Test', label: async () => 'somebody' });

  return {
    ...tandem,
    async addApp(accountId) {
      const { id, secret } = await service.begin(accountId);
      await service.activate(accountId, id, codeOf(secret, clock), { by: 'account' });
      return {
        secret,
        code() {
          clock.advance(STEP);
          return codeOf(secret, clock);
        },
        wrongCode: () => wrongCodeOf(secret, clock),
      };
    },
  };
}

/** Types the code that the page asks for. */
export function typeCode(browser: HttpBrowser, page: Page, code: string): Promise<Page> {
  assert.ok(asksForCode(page), `no code is asked for: ${page.url} ${page.status} ${page.text.slice(0, 300)}`);
  return browser.submit(page, '/totp', { code });
}

export const asksForCode = (page: Page): boolean => page.forms.some(({ action }) => action.endsWith('/totp'));

/** The recovery codes that the page shows. */
export const codesOn = (page: Page): string[] => [...page.body.matchAll(/<code>([\w-]{19})<\/code>/g)].map(([, code = '']) => code);
