import type { SMTPTransportOptions } from 'nodemailer/lib/smtp-transport';
import type { Context } from '../context.ts';
import { uuid } from '../lib/crypto.ts';
import type { EventSubject } from '../lib/events.ts';
import type { Views } from '../lib/views/views.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import { readMailbox, type Carrier } from './carrier.ts';
import { createDelivery, type Outcome } from './delivery.ts';
import './events.ts';
import { noticeOf } from './kinds.ts';
import { createMailFolder, createSmtp } from './mail.ts';
import { createNoticeStore } from './store.ts';
import { createWriting, type Notice } from './writing.ts';

export type { Notice };
export type { NoticeData, NoticeKind } from './kinds.ts';

/** Where notices to accounts about their security go: to a mail server, into a folder, or to the host. */
export type NoticesOptions =
  | {
      /** A URL such as `smtps://user:password@mail.example.com:465`, or nodemailer's options for SMTP. */
      readonly smtp: string | SMTPTransportOptions;
      /** The sender, such as `Tandem <no-reply@id.example.com>`; `no-reply@` the issuer's host unless told otherwise. */
      readonly from?: string;
    }
  | {
      /** A folder for `.eml` files; `data/mail` where nothing else is chosen. */
      readonly folder: string;
      readonly from?: string;
    }
  | {
      /**
       * Takes each notice; where it throws, it gets the same one again, first after a minute, then less and less often for three days. After a
       * crash it may get one twice: `id` tells.
       */
      send(notice: Notice): unknown;
    };

export interface NoticesService {
  /** Sends what is due. */
  sweep(): Promise<void>;
  /** Begins no more, and waits for what is being sent. */
  close(): Promise<void>;
}

/** How many are sent at once, and for how long one sweep begins new ones, in milliseconds. */
const AT_ONCE = 4;
const ROUND = 20_000;

/**
 * Creates what tells accounts of events that concern their security. The notice is written into the queue in the
 * transaction of the change; it is sent after the commit, by whichever process claims it, and at least once.
 *
 * @throws TypeError for a sender that is none
 */
export function createNotices(
  context: Context,
  { options = { folder: 'data/mail' }, accounts, views, home }: { options?: NoticesOptions | undefined; accounts: AccountDirectory | undefined; views: Views; home: string },
): NoticesService {
  const { db, clock, log, events, issuer } = context;
  const store = createNoticeStore(db);
  const carrier = carrierOf(context, options, views.site);
  const { deliver } = createDelivery(context, { store, carrier, accounts, write: createWriting({ issuer, views, home }) });
  const underWay = new Set<Promise<Outcome>>();
  let closing = false;

  /** Starts at once, where there are not too many already; those left are the sweep's. */
  async function start(id: string): Promise<Outcome> {
    if (closing || underWay.size >= AT_ONCE) return 'not_due';
    const delivery = deliver(id).catch((error: unknown): Outcome => {
      log.error({ err: error, notice: id }, 'a notice could not be looked after; trying again in some minutes');
      return 'waiting';
    });
    underWay.add(delivery);
    return delivery.finally(() => underWay.delete(delivery));
  }

  events.subscribe(async (tx, { name, payload, at }) => {
    const { accountId } = payload as EventSubject;
    const notice = accountId === undefined ? undefined : noticeOf(name, payload);
    if (!notice || accountId === undefined || (await store.fold(accountId, notice.kind, tx))) return;
    const id = uuid();
    await store.insert({ id, accountId, at, ...notice }, tx);
    tx.afterCommit(() => void start(id));
  });

  /** Sends some at once; false where all failed, as those behind them would where the mail server is away. */
  async function sendSome(ids: readonly string[]): Promise<boolean> {
    const outcomes = await Promise.all(ids.map((id) => start(id)));
    return outcomes.some((outcome) => outcome !== 'waiting');
  }

  return {
    async sweep() {
      const until = clock() + ROUND;
      const due = await store.due(clock());
      while (due.length > 0 && !closing && clock() < until) {
        if (underWay.size >= AT_ONCE) await Promise.race(underWay);
        if (!(await sendSome(due.splice(0, AT_ONCE - underWay.size)))) return;
      }
    },
    async close() {
      closing = true;
      await Promise.all(underWay);
    },
  };
}

function carrierOf(context: Context, options: NoticesOptions, site: string): Carrier {
  if ('send' in options) {
    const { send } = options;
    return { byMail: false, carry: async (notice) => void (await send(notice)) };
  }
  const from = options.from === undefined ? { name: site, address: noReply(context.issuer) } : readMailbox(options.from);
  if (!from) throw new TypeError('tandem: notices.from must be one address, such as Tandem <no-reply@id.example.com>');
  return 'smtp' in options ? createSmtp(context, { smtp: options.smtp, from }) : createMailFolder(context, { folder: options.folder, from });
}

function noReply(issuer: string): string {
  const { hostname } = new URL(issuer);
  // Mail has no address at a bare number.
  return `no-reply@${/^\[|^[\d.]+$/.test(hostname) ? 'localhost' : hostname}`;
}
