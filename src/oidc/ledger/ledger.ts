import { errors, type FindAccount, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import type { Context, Transaction } from '../../context.ts';
import { byPhone } from '../acr.ts';
import type {} from '../events.ts';
import { createLedgerStore, type Owner, type SignIn } from './store.ts';

/** What is asked of the devices, where there are any. */
export interface UsableDevices {
  /** The device if it is active; inside `tx` it stays so until that ends. */
  usable(deviceId: string, tx: Transaction): Promise<object | undefined>;
}

/** An account that says when its password was last changed, in milliseconds since the epoch. */
interface WithPassword {
  readonly passwordChangedAt?: number;
}

/** Remembers which sessions and grants there are of a phone or an account, so that they end with its loss, or its password. */
export interface Ledger {
  /**
   * Called whenever an authorization request meets a session.
   *
   * @throws AccessDenied when the phone was revoked, or the password changed, between the proof and the session, or when the session has been
   * ended; it is not kept then
   */
  record(ctx: KoaContextWithOIDC, grantId: string | undefined): Promise<void>;
  /** Whether a session has been ended, though a request that was under way may have written it once more. */
  isOver(session: { readonly uid: string; readonly accountId?: string | undefined }): Promise<boolean>;
  /** Condemns what is `owner`'s, inside the transaction that is the reason for it; it ends once that has committed. */
  end(tx: Transaction, owner: Owner): Promise<void>;
  /** Ends what a crash, or a request under way, left of the condemned, and forgets what has expired. */
  sweep(): Promise<void>;
  /** The provider to end things at. */
  attach(provider: Provider): void;
  /** Resolves when all that is under way is done. */
  settled(): Promise<void>;
}

const YEAR = 365 * 24 * 60 * 60 * 1000;
/**
 * For how long what has ended is ended again: a request that was under way writes its session once more when it is done. It begins anew each time
 * that there is something to end, or who sends one request after the other would have the session back for good.
 */
const AFTERMATH = 5 * 60 * 1000;

/**
 * Sessions and grants live in the provider's adapter, which may be a host's own and knows no transaction of ours. So
 * the reason only marks the rows, durably and with it; the sessions and grants end right after the commit, and
 * the sweep ends what was marked when a process died in between.
 *
 * @param options.findAccount of Tandem's own accounts, which say when their password was changed
 */
export function createLedger(
  { db, clock, log, events }: Pick<Context, 'db' | 'clock' | 'log' | 'events'>,
  { devices, findAccount }: { devices: UsableDevices; findAccount: FindAccount | undefined },
): Ledger {
  const store = createLedgerStore(db);
  let underWay: Promise<void> = Promise.resolve();
  let provider: Provider | undefined;

  /** One at a time: two would share the rows of one reason between them, and tell of each half. */
  function endAll(): Promise<void> {
    const turn = underWay.then(endCondemned);
    underWay = turn.catch(() => {});
    return turn;
  }

  async function endCondemned(): Promise<void> {
    if (!provider) return;
    const rows = await store.condemned();
    const grants = new Set(rows.map(({ grantId }) => grantId).filter(Boolean));
    const sessions = new Map(rows.map(({ sessionUid, accountId }) => [sessionUid, accountId]));
    for (const [uid, accountId] of sessions) {
      const session = await provider.Session.findByUid(uid);
      // Unless it is somebody else's by now.
      if (session?.accountId !== accountId) continue;
      for (const grantId of await endSession(session)) grants.add(grantId);
      await store.prolong(uid, clock() + AFTERMATH);
    }
    for (const grantId of grants) await endGrant(provider, grantId);
    const ended: SignIn[] = [];
    for (const row of rows) if (!row.ended && (await store.end(row))) ended.push(row);
    await tell(ended);
  }

  /** Of a phone's, and of an account's own, each for itself. */
  async function tell(ended: readonly SignIn[]): Promise<void> {
    const groups = new Map<string, SignIn[]>();
    for (const row of ended) groups.set(ownerOf(row), [...(groups.get(ownerOf(row)) ?? []), row]);
    for (const own of groups.values()) {
      const { deviceId, accountId } = own[0] as SignIn;
      const count = { sessions: new Set(own.map(({ sessionUid }) => sessionUid)).size, grants: new Set(own.map(({ grantId }) => grantId).filter(Boolean)).size };
      await db.transaction((tx) =>
        deviceId ? events.emit(tx, 'device.sign_ins_ended', { deviceId, ...count }) : events.emit(tx, 'account.sign_ins_ended', { accountId, ...count }),
      );
    }
  }

  /** Whether the phone, or the password, that has just signed in is still good; what is written before is seen by its end. */
  async function keep(ctx: KoaContextWithOIDC, row: SignIn & { createdAt: number; expiresAt: number }, { ts, since = ts, amr = [] }: Login): Promise<string | undefined> {
    // The browser decides when it comes back with the proof, and may wait until there is a reason to refuse it.
    if (row.deviceId) {
      const kept = await db.transaction(async (tx) => {
        if (!(await devices.usable(row.deviceId, tx))) return false;
        await store.insert(row, tx);
        return true;
      });
      return kept ? undefined : 'the phone that approved has been revoked';
    }
    await store.insert(row);
    if (!amr.includes('pwd') || since === undefined) return undefined;
    const { passwordChangedAt = 0 } = ((await findAccount?.(ctx, row.accountId)) ?? {}) as WithPassword;
    return since < Math.floor(passwordChangedAt / 1000) ? 'the password has been changed' : undefined;
  }

  /** Writes down the session and its grant; returns why they are not to be kept. */
  async function note(ctx: KoaContextWithOIDC, session: Session, accountId: string, grantId: string): Promise<string | undefined> {
    const { result, client } = ctx.oidc;
    const login = result?.login as Login | undefined;
    // Nothing new: this session had this grant before.
    if (!login && grantId && client && session.grantIdFor(client.clientId) === grantId) return undefined;
    // A code that was added to a phone's approval says nothing of the phone; whose session it is, is known from before.
    const deviceId = login?.deviceId ?? (byPhone(session.amr) ? await store.deviceOf(session.uid) : undefined);
    const now = clock();
    const row = { deviceId: deviceId ?? '', sessionUid: session.uid, accountId, createdAt: now, expiresAt: now + YEAR, grantId };
    if (login) return keep(ctx, row, login);
    await store.insert(row);
    return undefined;
  }

  const isOver: Ledger['isOver'] = async ({ uid, accountId }) => accountId !== undefined && store.isCondemned(uid, accountId);

  return {
    isOver,

    async record(ctx, grantId = '') {
      const { session, account } = ctx.oidc;
      if (!session || !account) return;
      const refusal = await note(ctx, session, account.accountId, grantId);
      // Asked once it is written down, so that an end at the same time finds it, or is found.
      const over = await isOver(session);
      if (refusal === undefined && !over) return;
      const grants = await endSession(session);
      if (over && provider) for (const each of grants) await endGrant(provider, each);
      throw new errors.AccessDenied(refusal ?? 'the session has been ended');
    },

    async end(tx, owner) {
      if ((await store.condemn(tx, owner, clock() + AFTERMATH)) === 0) return;
      tx.afterCommit(() => {
        endAll().catch((error: unknown) => log.error({ err: error, ...owner }, 'sessions that are over did not end yet'));
      });
    },

    async sweep() {
      await endAll();
      await store.removeExpired(clock());
    },

    attach(attached) {
      provider = attached;
    },

    settled: () => underWay,
  };
}

interface Login {
  readonly deviceId?: string;
  readonly amr?: readonly string[];
  /** Epoch seconds. */
  readonly ts?: number;
  /** When the first factor was proven, where a second one followed. */
  readonly since?: number;
}

type Session = NonNullable<KoaContextWithOIDC['oidc']['session']>;

/** Ends a session; returns the grants given in it. */
async function endSession(session: Session): Promise<string[]> {
  await session.destroy();
  return Object.values(session.authorizations ?? {}).flatMap(({ grantId }) => (grantId ? [grantId] : []));
}

/** Without its grant no code, refresh token or introspection is good for anything; access tokens at UserInfo neither. */
async function endGrant({ AccessToken, AuthorizationCode, Grant, RefreshToken }: Provider, grantId: string): Promise<void> {
  for (const model of [AccessToken, AuthorizationCode, RefreshToken]) await model.revokeByGrantId(grantId);
  await (await Grant.find(grantId, { ignoreExpiration: true }))?.destroy();
}

const ownerOf = ({ deviceId, accountId }: SignIn) => `${deviceId} ${deviceId ? '' : accountId}`;
