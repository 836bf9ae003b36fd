import type { Context } from '../../context.ts';
import { randomToken } from '../../lib/crypto.ts';
import type { Stream } from '../../lib/http/sse.ts';
import { frameNumber } from '../transaction/frames.ts';
import type { QrService } from '../service.ts';
import { isLive, type State } from '../transaction/states.ts';
import type { Change, QrTransaction } from '../transaction/transaction.ts';

/** What a page is told of its transaction. No secrets: a stream may be read by whoever shares the screen. */
export interface PageState {
  readonly state: State;
  /** Seconds until the state runs out; 0 at the end. */
  readonly expires_in: number;
  /** Why it ended, where there is more than one reason. */
  readonly reason?: string;
  /** With `expired`: whether the page may ask for a new QR by itself. */
  readonly renew?: boolean;
}

/** The pages that wait over event streams. */
export interface WaitingPages {
  /** Shows the page its frames and states until the transaction ends or either side closes the stream. */
  open(transaction: QrTransaction, stream: Stream): void;
  state(transaction: Pick<QrTransaction, 'state' | 'reason' | 'expiresAt' | 'firstStartedAt'>): PageState;
  readonly size: number;
  close(): void;
}

interface Waiting {
  readonly id: string;
  readonly token: string;
  readonly stream: Stream;
  readonly startedAt: number;
  readonly firstStartedAt: number;
  readonly isStatic: boolean;
  state: State;
  expiresAt: number;
  n: number;
  slot: Set<Waiting> | undefined;
  /** True once the database knows this stream as the one of its transaction. */
  named: boolean;
  closed: boolean;
  stop: () => void;
}

/**
 * One timer turns all frames: 5 s are cut into slots of this many milliseconds, and each page's rotations fall into one. Few enough pages
 * in each that nobody else waits for long while they turn: a hundred of ten thousand.
 */
const SLOT = 50;
const SLOTS = 100;

/** News that arrives late never takes a page back. */
const RANK: Readonly<Record<State, number>> = { pending: 0, scanned: 1, approved: 2, confirmed: 3, consumed: 4, denied: 4, cancelled: 4, expired: 4 };

export function createWaitingPages(service: QrService, { clock, log }: Pick<Context, 'clock' | 'log'>): WaitingPages {
  const slots = Array.from({ length: SLOTS }, () => new Set<Waiting>());
  let timer: NodeJS.Timeout | undefined;
  let last = 0;
  let size = 0;

  function state({ state: name, reason, expiresAt, firstStartedAt }: Parameters<WaitingPages['state']>[0]): PageState {
    const left = isLive(name) ? Math.max(0, Math.ceil((expiresAt - clock()) / 1000)) : 0;
    return {
      state: name,
      expires_in: left,
      ...(reason !== undefined && !isLive(name) && { reason }),
      ...(name === 'expired' && { renew: service.mayRenew({ state: name, reason, firstStartedAt }) }),
    };
  }

  /** A lifetime is a multiple of a rotation, so what runs out and what rotates fall into the same slot. */
  function place(page: Waiting) {
    page.slot?.delete(page);
    page.slot = slots[Math.ceil(page.expiresAt / SLOT) % SLOTS]!.add(page);
  }

  function tick() {
    const now = Math.floor(clock() / SLOT);
    const first = Math.max(last + 1, now - SLOTS + 1);
    last = now;
    for (let slot = first; slot <= now; slot += 1) for (const page of slots[slot % SLOTS]!) turn(page);
  }

  function turn(page: Waiting) {
    if (clock() >= page.expiresAt) return void refresh(page);
    const n = frameNumber(page.startedAt, clock());
    if (page.state !== 'pending' || page.isStatic || n === page.n) return;
    page.n = n;
    page.stream.send('frame', service.frames.text(page.id, n));
  }

  async function refresh(page: Waiting) {
    try {
      const transaction = await service.reload(page.id);
      if (page.closed) return;
      if (!transaction) return page.stream.close();
      if (page.named && transaction.stream !== page.token) {
        page.stream.send('elsewhere', '');
        return page.stream.close();
      }
      hear(page, { ...transaction, stream: undefined });
    } catch (error) {
      complain(page, error);
    }
  }

  function complain(page: Waiting, error: unknown) {
    // A page that has gone, as when the process ends, misses nothing.
    if (!page.closed) log.warn({ err: error }, 'could not look after a waiting QR page');
  }

  function hear(page: Waiting, change: Change) {
    // News of streams may overtake one another; which is the last, the database knows.
    if (change.stream !== undefined && change.stream !== page.token && page.named) void refresh(page);
    if (RANK[change.state] <= RANK[page.state]) return;
    page.state = change.state;
    page.expiresAt = change.expiresAt;
    tell(page, change.reason);
  }

  /** Makes this the one stream; then reads again, so that nothing is missed that happened before this process listened. */
  async function name(page: Waiting, transaction: QrTransaction) {
    try {
      await service.openStream(transaction, page.token);
      page.named = true;
      await refresh(page);
    } catch (error) {
      complain(page, error);
    }
  }

  function tell(page: Waiting, reason: string | undefined) {
    page.stream.send('state', state({ ...page, reason }));
    if (isLive(page.state)) place(page);
    else page.stream.close();
  }

  function forget(page: Waiting) {
    page.closed = true;
    page.stop();
    page.slot?.delete(page);
    page.slot = undefined;
    size -= 1;
    if (size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    state,
    get size() {
      return size;
    },

    open(transaction, stream) {
      const { id, startedAt, firstStartedAt, isStatic, expiresAt } = transaction;
      const token = randomToken(16);
      const n = frameNumber(startedAt, clock());
      const page: Waiting = { id, token, stream, startedAt, firstStartedAt, isStatic, state: transaction.state, expiresAt, n, slot: undefined, named: false, closed: false, stop() {} };
      if (!isLive(page.state)) return tell(page, transaction.reason);

      page.stop = service.wait(id, (change) => hear(page, change));
      size += 1;
      if (!timer) {
        last = Math.floor(clock() / SLOT);
        timer = setInterval(tick, SLOT).unref();
      }
      stream.onClose(() => forget(page));
      if (page.state === 'pending') stream.send('frame', service.frames.text(id, isStatic ? 's' : n));
      tell(page, undefined);
      void name(page, transaction);
    },

    close() {
      for (const slot of slots) for (const page of [...slot]) page.stream.close();
      clearInterval(timer);
      timer = undefined;
    },
  };
}
