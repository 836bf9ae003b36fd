import type { ManagedAccounts } from '../../clients/managed-accounts/managed-accounts.ts';
import type { Context, Transaction } from '../../context.ts';
import { AppError } from '../../errors.ts';
import type { Factors } from '../../factors/factors.ts';
import { createPolls } from '../../lib/polls.ts';
import type { EnrolmentService, EnrolmentStatus, StartedEnrolment } from '../enrolment.ts';

/** How often a client may ask for one enrolment, in seconds. */
export const POLL_SECONDS = 1;
/** The account's own page, where a device that it has vouches for another. */
const ADD_PATH = '/account/devices/add';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** How far an enrolment is, as a client is told. */
export interface ClientEnrolment {
  readonly id: string;
  readonly status: 'pending' | 'scanned' | 'enrolled' | 'expired' | 'cancelled';
  /** Whole seconds until the QR code, or the confirm code, runs out; 0 once ended. */
  readonly expiresIn: number;
  /** Where the phone shows a confirm code that is to be typed. */
  readonly confirmCodeRequired: boolean;
  readonly triesLeft: number | undefined;
  readonly device: EnrolmentStatus['device'];
  /** Why it was cancelled. */
  readonly reason: 'wrong_codes' | 'cancelled' | undefined;
}

/** What it asks of other rooms. */
export interface EnrolmentApiRooms {
  readonly managed: Pick<ManagedAccounts, 'find' | 'manages' | 'since'>;
  /** Since when the account has the password that it has, in milliseconds since the epoch; undefined where it has none, or only the host knows. */
  readonly passwordSince: (accountId: string) => Promise<number | undefined>;
  /** Whether the account may administer: no client decides who does. */
  readonly isAdmin: (accountId: string, tx?: Transaction) => Promise<boolean>;
}

export type EnrolmentApi = ReturnType<typeof createEnrolmentApi>;

/** Creates what clients do about the phones of accounts that they look after. */
export function createEnrolmentApi(
  { issuer, clock, limits, events }: Pick<Context, 'issuer' | 'clock' | 'limits' | 'events'>,
  { enrolments, factors, managed, passwordSince, isAdmin }: EnrolmentApiRooms & { enrolments: EnrolmentService; factors: Pick<Factors, 'any'> },
) {
  const polls = createPolls(clock, POLL_SECONDS);
  const perClient = limits.limit({ name: 'enrolment-client', points: 3000, seconds: 15 * 60 });

  // What an administrator takes from a client is gone with all that it had under way.
  events.subscribe(async (tx, { name, payload }) => {
    const { accountId, clientId } = payload;
    if (name === 'account.taken' && accountId !== undefined && clientId !== undefined) await enrolments.forget(tx, accountId, clientId);
    if ((name === 'client.deleted' || name === 'client.self_deleted') && clientId !== undefined) await enrolments.forgetClient(tx, clientId);
  });

  /** @throws AppError `conflict` where the account has what vouches for another device, or decides over others */
  async function checkFirst(accountId: string, tx?: Transaction): Promise<void> {
    if (!(await factors.any(accountId, tx)) && !(await isAdmin(accountId, tx))) return;
    throw new AppError('conflict', 'the account has a phone or an authenticator app, or is an administrator’s: its person adds this phone at account_url', { extra: { account_url: issuer + ADD_PATH } });
  }

  /** @throws AppError `conflict` where the person has chosen a password since the client has had the account: it is theirs now, and no client's to enter */
  async function checkNotTheirs(clientId: string, accountId: string): Promise<void> {
    const [password, since] = [await passwordSince(accountId), await managed.since(clientId, accountId)];
    if (password === undefined || since === undefined || password <= since) return;
    throw new AppError('conflict', 'the account has a password that its person has chosen: they add this phone at account_url', { extra: { account_url: issuer + ADD_PATH } });
  }

  /** Unknown enrolments, malformed ids and those of other clients are alike. */
  function checkId(id: string): void {
    if (!UUID.test(id)) throw new AppError('not_found', 'there is no such enrolment');
  }

  return {
    /**
     * Makes a QR code for the first phone of an account.
     *
     * @param subject the account, as the client knows it
     * @throws AppError `not_found` for an account that the client does not look after; `conflict` with `account_url`; `rate_limited`
     */
    async start(clientId: string, subject: string, address: string): Promise<StartedEnrolment> {
      await perClient.take(clientId);
      const accountId = await managed.find(clientId, subject);
      if (accountId === undefined) throw unknownAccount();
      await checkFirst(accountId);
      await checkNotTheirs(clientId, accountId);
      return enrolments.startFor({
        accountId,
        clientId,
        address,
        async guard(tx) {
          // It may have been taken away, or have got a factor, since.
          if (!(await managed.manages(clientId, accountId, tx))) throw unknownAccount();
          await checkFirst(accountId, tx);
        },
      });
    },

    /** @throws AppError `not_found`, `slow_down` */
    async status(clientId: string, id: string): Promise<ClientEnrolment> {
      checkId(id);
      polls.take(`${clientId} ${id}`);
      return asClientSees(await enrolments.status(id, { clientId }));
    },

    /** Takes the code that the phone shows. @throws AppError `not_found`, `invalid_code` with `tries_left`, `expired`, `already_claimed`, `conflict` */
    async confirm(clientId: string, id: string, code: string, address: string): Promise<ClientEnrolment> {
      checkId(id);
      await enrolments.confirm(id, { clientId }, code, address);
      return asClientSees(await enrolments.status(id, { clientId }));
    },

    /** Ends it, and the phone that waits for its code; what has ended stays as it is. @throws AppError `not_found` */
    async cancel(clientId: string, id: string, address: string): Promise<ClientEnrolment> {
      checkId(id);
      await enrolments.cancel(id, { clientId }, address);
      return asClientSees(await enrolments.status(id, { clientId }));
    },
  };
}

const unknownAccount = () => new AppError('not_found', 'there is no such account');

function asClientSees({ id, state, expiresIn, triesLeft, device }: EnrolmentStatus): ClientEnrolment {
  const waits = state === 'enrolled';
  return {
    id,
    status: waits ? 'scanned' : state === 'confirmed' ? 'enrolled' : state === 'failed' ? 'cancelled' : state,
    expiresIn,
    confirmCodeRequired: waits,
    triesLeft: waits ? triesLeft : undefined,
    // Of a phone that nobody confirmed there is nothing to know any more.
    device: waits || state === 'confirmed' ? device : undefined,
    reason: state === 'failed' ? 'wrong_codes' : state === 'cancelled' ? 'cancelled' : undefined,
  };
}
