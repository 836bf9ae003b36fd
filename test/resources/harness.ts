import { accounts, admin, AppError, type Actor, type ResourceRegistry } from '../../src/index.ts';
import type { TestDatabase } from '../support/databases.ts';
import { startTandem, type TestTandem, type TestTandemOptions } from '../support/tandem.ts';

/** Who makes changes here. */
export const HOST: Actor = { kind: 'host', id: 'the tests', authority: 'all' };

export const FEATURES = [accounts({ hashing: { memoryCost: 1024, timeCost: 1, parallelism: 1 } }), admin()];

export interface RegistryTandem extends TestTandem {
  readonly resources: ResourceRegistry;
}

/** A provider whose resource servers are in the database, too. */
export async function startRegistry(database: Pick<TestDatabase, 'open'>, options: TestTandemOptions = {}): Promise<RegistryTandem> {
  const tandem = await startTandem(database, { features: FEATURES, ...options });
  return { ...tandem, resources: tandem.t.admin!.resources };
}

/** What an expected failure was, for `assert.rejects`. */
export const failsWith = (code: string, extra: Record<string, unknown> = {}) => (error: unknown) =>
  error instanceof AppError && error.code === code && Object.entries(extra).every(([name, value]) => error.extra[name] === value);

export const ORDERS = 'https://orders.example';
/** Scopes of a shop's orders. */
export const SCOPES = [
  { name: 'orders:read', description: { en: 'Read your orders', de: 'Ihre Bestellungen lesen' }, level: 1 },
  { name: 'orders:pay', description: { en: 'Pay your orders' }, level: 2 },
] as const;
