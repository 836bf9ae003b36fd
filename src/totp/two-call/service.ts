import type { Client } from 'oidc-provider';
import type { AccountsService } from '../../accounts/types.ts';
import type { Context, Transaction } from '../../context.ts';
import { AppError } from '../../errors.ts';
import type { Factors } from '../../factors/factors.ts';
import { base64url, randomToken, sha256 } from '../../lib/crypto.ts';
import { networkOf } from '../../lib/network.ts';
import { ACR } from '../../oidc/acr.ts';
import type { Authenticators, PendingAuthenticator } from '../authenticators/authenticators.ts';
import type { Caller } from './callers.ts';
import './events.ts';
import { createTicketStore, type Ticket } from './ticket-store.ts';
import type { Tokens } from './token.ts';

/** How long call two may follow call one, in milliseconds. */
export const TICKET_MS = 5 * 60_000;
/** Events after which the account's tickets are worth nothing. */
const ENDING: ReadonlySet<string> = new Set(['account.password_changed', 'recovery.used', 'second_factor.reset']);
/** No account has this id; whoever asks without a ticket is looked up like everybody else. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

export interface TwoCallRooms {
  readonly accounts: Pick<AccountsService, 'verifyPassword' | 'find'>;
  readonly authenticators: Authenticators;
  readonly factors: Pick<Factors, 'suffices'>;
  /** One form for however an e-mail address is typed; undefined where it is none. */
  readonly emailKey: (email: string) => string | undefined;
  /** The subject that the client's sector sees; without a client, that of a sector for this API alone. */
  readonly subjectOf: (accountId: string, client: Client | undefined) => Promise<string>;
}

/** A try, and who makes it for whom. */
export interface Try extends Caller {
  readonly email: string;
  readonly address: string;
}

/** What the first call found: a QR code to show, or an account that has a second factor, with a ticket where that is an authenticator. */
export type Started =
  | { readonly uri: string; readonly ticket: string; readonly expiresIn: number }
  | { readonly uri: undefined; readonly ticket: string; readonly expiresIn: number }
  | { readonly uri: undefined; readonly ticket: undefined };

export type TwoCallService = ReturnType<typeof createTwoCallService>;

/** Creates what stands behind the two calls. */
export function createTwoCallService(
  context: Pick<Context, 'db' | 'clock' | 'events' | 'limits'>,
  { accounts, authenticators, factors, emailKey, subjectOf, groups, tokens }: TwoCallRooms & {
    readonly groups: (accountId: string, clientId: string | undefined) => Promise<readonly string[]> | readonly string[];
    readonly tokens: Tokens;
  },
) {
  const { db, clock, events, limits } = context;
  const store = createTicketStore(context);
  // Behind a client are all of its people, and whoever types nonsense there; behind an address without one is whoever it is.
  const perClient = limits.limit({ name: 'two-call-client', points: 3000, seconds: 15 * 60 });
  const perAddress = limits.limit({ name: 'two-call-address', points: 100, seconds: 15 * 60 });

  // What a thief of the password has begun must not outlive it.
  events.subscribe(async (tx, { name, payload }) => {
    if (ENDING.has(name) && payload.accountId !== undefined) await store.endAll(payload.accountId, tx);
  });

  /** Takes a point before the work, so that tries in parallel cannot all pass; what was no miss gives it back. */
  async function limited<T>({ client, address }: Try, work: () => Promise<T>): Promise<T> {
    const [limit, key] = client ? [perClient, client.clientId] : [perAddress, networkOf(address)];
    await limit.take(key);
    let missed = false;
    try {
      return await work();
    } catch (error) {
      missed = error instanceof AppError && error.code === 'invalid_credentials';
      throw error;
    } finally {
      if (!missed) await limit.refund(key);
    }
  }

  /**
   * The enrolment that this ticket of the same caller began, else one anew: the seed of one that somebody else began, such as a thief of the
   * password, must not become the account's.
   */
  async function enrolment(accountId: string, secret: string | undefined, { client, address }: Try): Promise<PendingAuthenticator> {
    const ticket = secret === undefined ? undefined : await store.find(hashOf(secret));
    const own = ticket?.accountId === accountId && ticket.clientId === client?.clientId && ticket.expiresAt > clock();
    if (own && ticket.authenticatorId !== undefined) {
      const begun = await authenticators.pending(accountId, ticket.authenticatorId).catch(unlessOver);
      if (begun) return begun;
    }
    return authenticators.begin(accountId, { clientId: client?.clientId, address, anew: true });
  }

  async function issue(ticket: Ticket, address: string) {
    const secret = randomToken();
    await db.transaction(async (tx) => {
      await store.insert(hashOf(secret), ticket, tx);
      const { accountId, clientId, authenticatorId } = ticket;
      await events.emit(tx, 'two_call.started', { accountId, clientId, authenticatorId, address });
    });
    return { ticket: secret, expiresIn: Math.floor((ticket.expiresAt - clock()) / 1000) };
  }

  /** The ticket of this caller, if the e-mail address is that of its account; each look-up is made whatever the one before found. */
  async function ticketOf(secret: string | undefined, { client, email }: Try): Promise<(Ticket & { label: string }) | undefined> {
    const ticket = await store.find(hashOf(secret ?? ''));
    const account = await accounts.find(ticket?.accountId ?? NOBODY);
    const key = emailKey(email);
    if (!ticket || !account || ticket.expiresAt <= clock() || ticket.clientId !== client?.clientId) return undefined;
    return key !== undefined && key === emailKey(account.label) ? { ...ticket, label: account.label } : undefined;
  }

  async function end(tx: Transaction, secret: string, ticket: Ticket, authenticatorId: string, activated: boolean, address: string) {
    // Of any number of calls with one ticket, one gets the token.
    if (!(await store.consume(hashOf(secret), tx))) throw refused();
    const { accountId, clientId } = ticket;
    await events.emit(tx, 'two_call.signed_in', { accountId, clientId, authenticatorId, activated, address });
  }

  /** Takes the first code of the authenticator whose QR code call one gave out. */
  async function activate(secret: string, ticket: Ticket & { authenticatorId: string }, code: string, address: string) {
    const { accountId, clientId, authenticatorId } = ticket;
    await authenticators.activate(accountId, authenticatorId, code, {
      by: 'api',
      clientId,
      address,
      async guard(tx) {
        // The account may have got a factor since, which a password alone must not go round.
        if (!(await factors.suffices(ACR.one, accountId, 'authenticator', tx))) throw refused();
        await end(tx, secret, ticket, authenticatorId, true, address);
      },
    });
  }

  async function verify(secret: string, ticket: Ticket, code: string, address: string) {
    const { id } = await authenticators.verify(ticket.accountId, code, { clientId: ticket.clientId, address });
    await db.transaction((tx) => end(tx, secret, ticket, id, false, address));
  }

  return {
    /**
     * Proves a password. Unknown addresses and wrong passwords do the same work and fail alike. With the `ticket` of an enrolment that it began, a caller
     * goes on with that.
     *
     * @throws AppError `invalid_credentials`, `rate_limited`
     */
    async start(attempt: Try & { password: string; ticket: string | undefined }): Promise<Started> {
      const { client, email, password, address } = attempt;
      const clientId = client?.clientId;
      // The address of a client is not that of the person.
      const origin = client ? {} : { address };
      const { id: accountId } = await limited(attempt, () => accounts.verifyPassword(email, password, origin).catch(hide));
      const expiresAt = clock() + TICKET_MS;
      if (await authenticators.required(accountId)) {
        return { uri: undefined, ...(await issue({ accountId, clientId, authenticatorId: undefined, expiresAt }, address)) };
      }
      if (!(await factors.suffices(ACR.one, accountId, 'authenticator'))) return { uri: undefined, ticket: undefined };
      const pending = await enrolment(accountId, attempt.ticket, attempt);
      const ticket = { accountId, clientId, authenticatorId: pending.id, expiresAt: Math.min(expiresAt, pending.expiresAt) };
      return { uri: pending.uri, ...(await issue(ticket, address)) };
    },

    /**
     * Proves a code, and makes the token. Whatever is wrong with the ticket, the address or the code does the same work and fails alike.
     *
     * @throws AppError `invalid_credentials`; for the holder of a ticket `rate_limited`, and `locked` where the factor is off
     */
    async validate(attempt: Try & { code: string; ticket: string | undefined }): Promise<string> {
      const { client, code, ticket: secret = '', address } = attempt;
      tokens.assertReady();
      return limited(attempt, async () => {
        const ticket = await ticketOf(secret, attempt);
        const active = await authenticators.required(ticket?.accountId ?? NOBODY);
        try {
          if (!ticket) {
            await authenticators.verify(undefined, code, { clientId: client?.clientId, address });
            throw refused();
          }
          const { authenticatorId } = ticket;
          // Its first code may have been typed on the account's page meanwhile.
          if (authenticatorId !== undefined && !active) await activate(secret, { ...ticket, authenticatorId }, code, address);
          else await verify(secret, ticket, code, address);
        } catch (error) {
          hide(error);
        }
        const { accountId, clientId, label } = ticket!;
        const subject = await subjectOf(accountId, client);
        return tokens.make({ subject, clientId, upn: label, groups: await groups(accountId, clientId) });
      });
    },
  };
}

const hashOf = (secret: string): string => base64url(sha256(secret));

/** One answer for all that may be wrong with what a person typed, or a caller brought along. */
const refused = () => new AppError('invalid_credentials', 'the e-mail address, the password, the code or the ticket is wrong');

/** Lets through only what tells nothing of an account to whoever has not proven its password. */
function hide(error: unknown): never {
  if (error instanceof AppError && HIDDEN.has(error.code)) throw refused();
  throw error;
}

function unlessOver(error: unknown): undefined {
  if (!(error instanceof AppError && ['not_found', 'expired', 'conflict'].includes(error.code))) throw error;
}

const HIDDEN: ReadonlySet<string> = new Set(['invalid_credentials', 'invalid_code', 'not_found', 'expired', 'conflict', 'access_denied']);
