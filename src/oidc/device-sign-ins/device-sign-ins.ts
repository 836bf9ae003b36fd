import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import type { Context, Transaction } from '../../context.ts';
import { createDeviceSignInStore, type DeviceSignIn } from './store.ts';
import type {} from '../events.ts';

/** What is asked of the devices, where there are any. */
export interface UsableDevices {
  /** The device if it is active; inside `tx` it stays so until that ends. */
  usable(deviceId: string, tx: Transaction): Promise<object | undefined>;
}

/** Remembers which sessions and grants a phone made, so that they end with the phone when it is lost. */
export interface DeviceSignIns {
  /**
   * Called whenever an authorization request meets a session: keeps what belongs to a device.
   *
   * @throws AccessDenied when the phone was revoked between its approval and the session; the session is not kept then
   */
  record(ctx: KoaContextWithOIDC, grantId: string | undefined): Promise<void>;
  /** Condemns what a device made, inside the transaction that revokes it; it ends once that has committed. */
  end(tx: Transaction, deviceId: string): Promise<void>;
  /** Ends what a crash left condemned, and forgets what has expired. */
  sweep(): Promise<void>;
  /** The provider to end things at. */
  attach(provider: Provider): void;
  /** Resolves when all that is under way is done. */
  settled(): Promise<void>;
}

const YEAR = 365 * 24 * 60 * 60 * 1000;
const APPROVED_BY_PHONE = new Set(['swk', 'hwk']);

/**
 * Sessions and grants live in the provider's adapter, which may be a host's own and knows no transaction of ours. So
 * the revocation only marks the rows, durably and with it; the sessions and grants end right after the commit, and
 * the sweep ends what was marked when a process died in between.
 */
export function createDeviceSignIns({ db, clock, log, events }: Pick<Context, 'db' | 'clock' | 'log' | 'events'>, devices: UsableDevices): DeviceSignIns {
  const store = createDeviceSignInStore(db);
  const underWay = new Set<Promise<void>>();
  let provider: Provider | undefined;

  async function endAll(deviceId?: string): Promise<void> {
    if (!provider) return;
    const rows = await store.condemned(deviceId);
    const grants = new Set(rows.map(({ grantId }) => grantId).filter(Boolean));
    for (const uid of new Set(rows.map(({ sessionUid }) => sessionUid))) {
      for (const grantId of await endSession(provider, uid)) grants.add(grantId);
    }
    for (const grantId of grants) await endGrant(provider, grantId);
    const ended: DeviceSignIn[] = [];
    for (const row of rows) if (await store.remove(row)) ended.push(row);
    for (const [id, own] of groupByDevice(ended)) {
      const count = { sessions: new Set(own.map(({ sessionUid }) => sessionUid)).size, grants: grants.size };
      await db.transaction((tx) => events.emit(tx, 'device.sign_ins_ended', { deviceId: id, ...count }));
    }
  }

  return {
    async record({ oidc }, grantId) {
      const { session, account } = oidc;
      const login = oidc.result?.login as { deviceId?: string } | undefined;
      if (!session || !account) return;
      const byPhone = session.amr?.some((method) => APPROVED_BY_PHONE.has(method)) ?? false;
      const deviceId = login?.deviceId ?? (byPhone ? await store.deviceOf(session.uid) : undefined);
      if (!deviceId) return;
      const now = clock();
      const row = { deviceId, sessionUid: session.uid, accountId: account.accountId, createdAt: now, expiresAt: now + YEAR, grantId: grantId ?? '' };
      if (login?.deviceId === undefined) return store.insert(row);
      // The browser decides when it comes back with the approval, and may wait until the phone has been reported lost.
      const kept = await db.transaction(async (tx) => {
        if (!(await devices.usable(deviceId, tx))) return false;
        await store.insert(row, tx);
        return true;
      });
      if (kept) return;
      await session.destroy();
      throw new errors.AccessDenied('the phone that approved has been revoked');
    },

    async end(tx, deviceId) {
      if ((await store.condemn(tx, deviceId)) === 0) return;
      tx.afterCommit(() => {
        const work = endAll(deviceId)
          .catch((error: unknown) => log.error({ err: error, deviceId }, 'sessions of a lost device did not end yet'))
          .finally(() => underWay.delete(work));
        underWay.add(work);
      });
    },

    async sweep() {
      await endAll();
      await store.removeExpired(clock());
    },

    attach(attached) {
      provider = attached;
    },

    async settled() {
      await Promise.all(underWay);
    },
  };
}

/** Ends a session; returns the grants given in it. */
async function endSession(provider: Provider, uid: string): Promise<string[]> {
  const session = await provider.Session.findByUid(uid);
  if (!session) return [];
  await session.destroy();
  return Object.values(session.authorizations ?? {}).flatMap(({ grantId }) => (grantId ? [grantId] : []));
}

/** Without its grant no code, refresh token or introspection is good for anything; access tokens at UserInfo neither. */
async function endGrant({ AccessToken, AuthorizationCode, Grant, RefreshToken }: Provider, grantId: string): Promise<void> {
  for (const model of [AccessToken, AuthorizationCode, RefreshToken]) await model.revokeByGrantId(grantId);
  await (await Grant.find(grantId, { ignoreExpiration: true }))?.destroy();
}

function groupByDevice(rows: readonly DeviceSignIn[]): Map<string, DeviceSignIn[]> {
  const groups = new Map<string, DeviceSignIn[]>();
  for (const row of rows) groups.set(row.deviceId, [...(groups.get(row.deviceId) ?? []), row]);
  return groups;
}
