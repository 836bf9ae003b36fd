import type { Context, Transaction } from '../../context.ts';
import { AppError } from '../../errors.ts';
import { uuid } from '../../lib/crypto.ts';
import { digitsOf, firstSteps, learnedDrift } from '../codes/acceptance.ts';
import { base32Of, matchingSteps, otpauthUri, stepAt } from '../codes/otp.ts';
import type { OtpKey } from '../codes/otp.ts';
import { waitAfter } from '../codes/throttle.ts';
import '../events.ts';
import type { ActivationOptions, Authenticator, AuthenticatorsRooms, BeginOptions, CodeOrigin, PendingAuthenticator } from './authenticators.ts';
import { authenticatorName, defaultName } from './names.ts';
import type { Seeds } from './seeds.ts';
import type { AuthenticatorRecord, TotpStore } from './store.ts';
import { FRESH, publicAuthenticator, refusal, wrongCode } from './verification.ts';

/** Authenticators of one account in use at once. */
export const MOST_AUTHENTICATORS = 5;
const PENDING_MS = 15 * 60_000;

type Parts = { store: TotpStore; seeds: Seeds } & Pick<AuthenticatorsRooms, 'label' | 'issuerName'>;
type Activated = Authenticator & { readonly first: boolean };
interface Open {
  readonly record: AuthenticatorRecord;
  readonly key: OtpKey;
}

/** Creates the enrolment of authenticators: a seed is made, and in use once the first code has shown that an app has it. */
export function createActivation(context: Pick<Context, 'db' | 'clock' | 'events' | 'limits'>, { store, seeds, label, issuerName }: Parts) {
  const { db, clock, events } = context;
  const enrolments = context.limits.limit({ name: 'totp-enrolment', points: 20, seconds: 3600 });

  async function shown({ record, key }: Open): Promise<PendingAuthenticator> {
    const account = await label(record.accountId);
    if (account === undefined) throw notFound();
    const uri = otpauthUri(key, { issuer: issuerName, label: account });
    return { id: record.id, secret: base32Of(key.seed), uri, expiresAt: record.expiresAt ?? 0 };
  }

  /** The enrolment under way; one whose seed cannot be read is as good as none. */
  async function underWay(accountId: string, tx?: Transaction): Promise<Open | undefined> {
    const record = await store.pending(accountId, tx);
    const key = record && seeds.open(record);
    return record && key && { record, key };
  }

  async function makeRoom(accountId: string, tx: Transaction): Promise<AuthenticatorRecord[]> {
    const active = await store.active(accountId, tx);
    if (active.length >= MOST_AUTHENTICATORS) throw new AppError('conflict', `an account has at most ${MOST_AUTHENTICATORS} authenticators; remove one first`);
    return active;
  }

  async function start(accountId: string, { clientId, address, anew }: BeginOptions): Promise<Open> {
    return await db.transaction(async (tx) => {
      await store.lockNew(accountId, tx);
      // Of two requests at once the second finds what the first began.
      const begun = anew ? undefined : await underWay(accountId, tx);
      if (begun) return begun;
      await makeRoom(accountId, tx);
      await store.endPending(accountId, tx);
      const id = uuid();
      await store.insert({ ...seeds.make(id, accountId), expiresAt: clock() + PENDING_MS }, tx);
      await events.emit(tx, 'totp.enrolment_started', { authenticatorId: id, accountId, clientId, address });
      const made = await underWay(accountId, tx);
      if (!made) throw new Error('an enrolment that has just begun is not under way');
      return made;
    });
  }

  /** A pending authenticator of this account; those of others do not exist for it. */
  async function own(accountId: string, id: string, tx?: Transaction): Promise<Open> {
    const record = await store.find(id, tx);
    if (!record || record.accountId !== accountId) throw notFound();
    if (record.active) throw new AppError('conflict', 'this authenticator is in use already');
    const key = (record.expiresAt ?? 0) > clock() ? seeds.open(record) : undefined;
    if (!key) throw new AppError('expired', 'this enrolment has ended; start again');
    return { record, key };
  }

  async function missed(tx: Transaction, record: AuthenticatorRecord, origin: CodeOrigin) {
    const misses = record.misses + 1;
    const wait = waitAfter(misses);
    await store.missFirst(record.id, { misses, nextTryAt: wait ? clock() + wait : undefined }, tx);
    await events.emit(tx, 'totp.failed', { accountId: record.accountId, failures: misses, ...origin });
    return wrongCode(misses);
  }

  async function use(tx: Transaction, record: AuthenticatorRecord, step: number, { name: asked, by, clientId, address, guard }: ActivationOptions): Promise<Activated> {
    const { id, accountId } = record;
    const others = await makeRoom(accountId, tx);
    const name = authenticatorName(asked) ?? defaultName(others.map((other) => other.name));
    await guard?.(tx);
    const drift = learnedDrift(step, stepAt(clock()), 0);
    if (!(await store.activate(id, { name, by, step, drift }, tx))) throw new AppError('conflict', 'this authenticator is in use already');
    // The account has an authenticator that it can be asked for: what was missed before is over, and a factor that was off is on again.
    await store.setStanding(accountId, FRESH, tx);
    const first = others.length === 0;
    await events.emit(tx, 'totp.activated', { authenticatorId: id, accountId, name, by, first, clientId, address });
    return { ...publicAuthenticator({ ...record, name, createdAt: clock(), lastUsedAt: clock() }), first };
  }

  return {
    async begin(accountId: string, options: BeginOptions = {}): Promise<PendingAuthenticator> {
      const begun = options.anew ? undefined : await underWay(accountId);
      if (begun) return await shown(begun);
      if ((await label(accountId)) === undefined) throw notFound();
      await enrolments.take(accountId);
      return await shown(await start(accountId, options));
    },

    async pending(accountId: string, id: string): Promise<PendingAuthenticator> {
      return await shown(await own(accountId, id));
    },

    async activate(accountId: string, id: string, typed: string, options: ActivationOptions): Promise<Activated> {
      const code = digitsOf(typed);
      authenticatorName(options.name);
      const { clientId, address } = options;
      // A wrong code must be counted, so it is an outcome of the transaction and no error in it.
      const outcome = await db.transaction(async (tx): Promise<{ activated: Activated } | { failure: AppError }> => {
        await store.lock(accountId, tx);
        const { record, key } = await own(accountId, id, tx);
        const failure = refusal(record, clock());
        if (failure) return { failure };
        const [step] = matchingSteps(key, code, firstSteps(stepAt(clock())));
        if (step === undefined) return { failure: await missed(tx, record, { clientId, address }) };
        return { activated: await use(tx, record, step, options) };
      });
      if ('failure' in outcome) throw outcome.failure;
      return outcome.activated;
    },
  };
}

function notFound(): AppError {
  return new AppError('not_found', 'there is no such enrolment');
}
