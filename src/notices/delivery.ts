import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import { isAddress, Refused, type Carrier } from './carrier.ts';
import type { NoticeStore, QueuedNotice } from './store.ts';
import type { createWriting } from './writing.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** The longest wait between two tries, and for how long there are any. */
const LONGEST_WAIT = 6 * HOUR;
const GIVE_UP_AFTER = 72 * HOUR;
/** For how long whoever sends a notice has it alone; a process that ended meanwhile loses it then. Longer than any try. */
const LEASE = 5 * MINUTE;
/** How long one try may take. */
const TRY = 30_000;
/** Notices of one kind to one account within an hour; what happens beyond is told in one notice after it. */
const PER_HOUR = 5;

/** How a try ended: `waiting` when nobody need try the next one now. */
export type Outcome = 'done' | 'not_due' | 'waiting';
type FailureReason = 'no_address' | 'refused' | 'too_long';

/** Creates what brings one notice of the queue on its way. */
export function createDelivery(
  { db, clock, log, limits, events }: Pick<Context, 'db' | 'clock' | 'log' | 'limits' | 'events'>,
  { store, carrier, write, accounts }: { store: NoticeStore; carrier: Carrier; write: ReturnType<typeof createWriting>; accounts: AccountDirectory | undefined },
) {
  const perKind = limits.limit({ name: 'notice', points: PER_HOUR, seconds: HOUR / 1000 });

  /** Milliseconds until the account may get another one of this kind; undefined where it may now. */
  async function enough({ accountId, kind }: QueuedNotice): Promise<number | undefined> {
    try {
      await perKind.take(`${accountId}|${kind}`);
      return undefined;
    } catch (error) {
      if (!(error instanceof AppError) || error.retryAfter === undefined) throw error;
      return error.retryAfter * 1000;
    }
  }

  /** Takes the notice out of the queue, and tells how it ended. */
  async function end(notice: QueuedNotice, reason?: FailureReason): Promise<void> {
    const { accountId, kind } = notice;
    await db.transaction(async (tx) => {
      if (!(await store.remove(notice, tx))) return;
      if (reason) await events.emit(tx, 'notice.failed', { accountId, kind, reason });
      else await events.emit(tx, 'notice.sent', { accountId, kind });
    });
  }

  /** Brings the notice on its way; returns why there is none. */
  async function carry(notice: QueuedNotice): Promise<FailureReason | undefined> {
    const { id, kind, accountId } = notice;
    const account = await accounts?.find(accountId);
    if (!account) return 'no_address';
    if (carrier.byMail && (account.email === undefined || !isAddress(account.email))) {
      log.warn({ notice: id, kind }, 'a notice has no address to go to: let accounts.find() give an email, or take notices by notices.send()');
      return 'no_address';
    }
    await within(TRY, (signal) => carrier.carry(write(notice, account), signal));
    return undefined;
  }

  async function failed(notice: QueuedNotice, error: unknown): Promise<Outcome> {
    const { id, kind, attempts, at } = notice;
    const now = clock();
    const wait = Math.min(LONGEST_WAIT, MINUTE * 2 ** (attempts - 1));
    const reason = error instanceof Refused ? 'refused' : now + wait > at + GIVE_UP_AFTER ? 'too_long' : undefined;
    const problem = { notice: id, kind, attempts, ...describe(error) };
    if (reason) {
      log.error({ ...problem, reason }, 'a notice to an account has been given up');
      await end(notice, reason);
      return 'done';
    }
    log.warn({ ...problem, retryIn: wait / 1000 }, 'a notice to an account could not be sent; trying again');
    await store.postpone(notice, now + wait);
    return 'waiting';
  }

  return {
    async deliver(id: string): Promise<Outcome> {
      const now = clock();
      const claimed = await store.claim(id, now, now + LEASE);
      if (!claimed) return 'not_due';
      // Counted once, however often it is tried.
      const wait = claimed.attempts === 1 ? await enough(claimed) : undefined;
      if (wait !== undefined) {
        await store.hold(claimed, now + wait);
        return 'done';
      }
      const notice = await db.transaction((tx) => store.gather(claimed, tx));
      let reason: FailureReason | undefined;
      try {
        reason = await carry(notice);
      } catch (error) {
        return failed(notice, error);
      }
      // Where this fails the notice is sent once more when its lease is over: better twice than never.
      await end(notice, reason);
      return 'done';
    },
  };
}

/** Runs `work` for at most so many milliseconds, whether or not it listens to its signal. */
async function within(milliseconds: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      controller.abort();
      reject(new Error(`gave up after ${milliseconds / 1000} s`));
    }, milliseconds);
  });
  try {
    await Promise.race([work(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What went wrong, without addresses: servers quote the recipient, and some the sign-in, in what they answer. */
function describe(error: unknown): object {
  const source = error instanceof Refused ? error.cause : error;
  if (!(source instanceof Error)) return { problem: 'something that is no error was thrown' };
  const { code, responseCode, command } = source as { code?: unknown; responseCode?: unknown; command?: unknown };
  const problem = source.message.replace(/[^\s<>]*@[^\s<>]*/g, '…').slice(0, 300);
  return { problem, ...(code !== undefined && { problemCode: code }), ...(responseCode !== undefined && { responseCode }), ...(command !== undefined && { command }) };
}
