import { accounts, admin, qr, totp, type Actor, type AdminService, type Feature } from '../../src/index.ts';
import type { TestDatabase } from '../support/databases.ts';
import type { HttpBrowser } from '../support/http-browser.ts';
import { startTandem, type TestTandem, type TestTandemOptions } from '../support/tandem.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';

export const HOST: Actor = { kind: 'host', id: 'test', authority: 'all' };
export const COMMAND_LINE: Actor = { kind: 'command-line', id: 'ada', authority: 'all' };
export const FEATURES: readonly Feature[] = [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), qr(), totp(), admin()];

export interface AdminTandem extends TestTandem {
  readonly admin: AdminService;
}

/** A provider with a registry. */
export async function startWithAdmin(database: Pick<TestDatabase, 'open'>, options: TestTandemOptions = {}): Promise<AdminTandem> {
  const tandem = await startTandem(database, { features: FEATURES, ...options });
  return { ...tandem, admin: tandem.t.admin! };
}

/** Adds a phone to the account of whoever is signed in. */
export async function addPhone(tandem: TestTandem, browser: HttpBrowser, options: { userVerifying?: boolean } = { userVerifying: true }): Promise<VirtualPhone> {
  const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock, ...options });
  const shown = await browser.submit(await browser.get(tandem.url('/account/devices/add')), '/account/devices/add');
  const { confirmCode } = await phone.enrol(/data-link="([^"]+)"/.exec(shown.body)![1]!);
  await browser.submit(shown, '/confirm', { code: confirmCode });
  return phone;
}
