import assert from 'node:assert/strict';
import { accounts, admin, qr, totp, type Feature } from '../../src/index.ts';
import { typePassword } from '../oidc/helpers.ts';
import type { TestDatabase } from '../support/databases.ts';
import { createHttpBrowser, type BrowserOptions, type HttpBrowser, type Page } from '../support/http-browser.ts';
import type { TestTandemOptions } from '../support/tandem.ts';
import { asksForCode, startWithTotp, typeCode, type App, type TotpTandem } from '../totp/app.ts';

export const COMMAND_LINE = { kind: 'command-line', id: 'grace', authority: 'all' } as const;
export const NOTES = 'https://notes.example.com';
const FEATURES: readonly Feature[] = [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr(), totp(), admin()];

export interface Administrator {
  readonly accountId: string;
  readonly email: string;
  readonly password: string;
  readonly app: App;
}

/** A provider with an administrator, and a resource server that clients can be given scopes of. */
export interface AdminTandem extends TotpTandem {
  readonly administrator: Administrator;
  /** A browser in which the administrator has signed in with both factors. */
  signedIn(options?: BrowserOptions): Promise<HttpBrowser>;
}

export async function startWithAdmin(database: Pick<TestDatabase, 'open'>, options: TestTandemOptions = {}): Promise<AdminTandem> {
  const tandem = await startWithTotp(database, { features: FEATURES, ...options });
  const person = await tandem.registerAccount({ name: 'Ada' });
  const app = await tandem.addApp(person.accountId);
  await tandem.t.admin!.accounts.setAdmin(person.accountId, true, COMMAND_LINE);
  await tandem.t.admin!.resources.create(
    {
      identifier: NOTES,
      name: 'Notes',
      scopes: [
        { name: 'notes:read', description: { en: 'Read your notes', de: 'Ihre Notizen lesen' }, level: 1 },
        { name: 'notes:write', description: { en: 'Change your notes' }, level: 2 },
      ],
    },
    COMMAND_LINE,
  );
  const administrator = { ...person, app };

  return {
    ...tandem,
    administrator,
    async signedIn(browserOptions) {
      const browser = createHttpBrowser({ now: tandem.clock, ...browserOptions });
      const page = await openAdmin(browser, tandem, administrator, '/admin/clients');
      assert.equal(page.status, 200, page.text);
      return browser;
    },
  };
}

/** Starts one for the tests of a block, each of which must leave no error in the log; `ready` is given it, with its administrator's browser. */
export function withAdmin(database: Pick<TestDatabase, 'open'>, ready: (started: { tandem: AdminTandem; browser: HttpBrowser }) => void): void {
  let tandem: AdminTandem;
  let browser: HttpBrowser;
  before(async () => {
    tandem = await startWithAdmin(database);
    browser = await tandem.signedIn();
    ready({ tandem, browser });
  });
  afterEach(() => assert.deepEqual(tandem.errors, []));
  after(async () => {
    browser.close();
    await tandem.close();
  });
}

/** Signs in on the way to an admin page. */
export async function openAdmin(browser: HttpBrowser, tandem: Pick<TotpTandem, 'url'>, { app, ...person }: Administrator, path = '/admin'): Promise<Page> {
  const page = await typePassword(browser, await browser.get(tandem.url(path)), person);
  return asksForCode(page) ? typeCode(browser, page, app.code()) : page;
}

/** What a page shows once: the text of the element with an id. */
export function textOfId(page: Page, id: string): string {
  return new RegExp(`id="${id}"[^>]*>(?:<code>)?([^<]*)<`).exec(page.body)?.[1] ?? assert.fail(`there is no #${id}: ${page.status} ${page.text.slice(0, 400)}`);
}
