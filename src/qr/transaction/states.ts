/** Where a QR transaction is. `confirmed` means ready for the browser to redeem. */
export type State = 'pending' | 'scanned' | 'approved' | 'confirmed' | 'consumed' | 'denied' | 'cancelled' | 'expired';

/** How long each state may last before the transaction expires, in milliseconds. A state without an entry is the end. */
export const LIFETIME = {
  pending: 120_000,
  scanned: 120_000,
  approved: 120_000,
  confirmed: 30_000,
} as const satisfies Partial<Record<State, number>>;

export type LiveState = keyof typeof LIFETIME;

/**
 * The state machine: who may move a transaction from where to where. Each change is one compare-and-set in the store,
 * so that of any number of concurrent attempts one wins.
 */
export const CHANGES = {
  /** A phone takes it. */
  claim: { from: ['pending'], to: ['scanned'] },
  /** The phone approves: a code is due next, or none is. */
  approve: { from: ['scanned'], to: ['approved', 'confirmed'] },
  /** The phone denies. */
  deny: { from: ['scanned'], to: ['denied'] },
  /** The browser types the right code. */
  confirm: { from: ['approved'], to: ['confirmed'] },
  /** The browser typed the wrong code too often. */
  exhaust: { from: ['approved'], to: ['denied'] },
  /** The browser turns the approval into a session. */
  redeem: { from: ['confirmed'], to: ['consumed'] },
  /** The browser gives up, or starts anew; while a code is due it may still do so, or its page would be a dead end. */
  cancel: { from: ['pending', 'scanned', 'approved'], to: ['cancelled'] },
  /** The phone that took it was revoked. */
  revoke: { from: ['scanned', 'approved', 'confirmed'], to: ['cancelled'] },
  /** Time ran out. */
  expire: { from: ['pending', 'scanned', 'approved', 'confirmed'], to: ['expired'] },
} as const satisfies Record<string, { from: readonly LiveState[]; to: readonly State[] }>;

export type Change = keyof typeof CHANGES;

export const LIVE_STATES = Object.keys(LIFETIME) as readonly LiveState[];

/** True while the transaction can still change. */
export function isLive(state: State): state is LiveState {
  return state in LIFETIME;
}

/** Whether `change` may lead from `from` to `to`. */
export function allows(change: Change, from: State, to?: State): boolean {
  const rule: { from: readonly State[]; to: readonly State[] } = CHANGES[change];
  return rule.from.includes(from) && (to === undefined || rule.to.includes(to));
}

/** How a phone came to its transaction. */
export type Via = 'frame' | 'static' | 'code';

/**
 * Whether an approval must be followed by the confirm code. `auto` spares it only where this account has signed in on
 * this browser before, and never for a static frame or a typed code: those can be handed to a victim at leisure.
 */
export function codeIsDue(request: { purpose: Purpose; policy: 'auto' | 'always'; via: Via; known: boolean }): boolean {
  const signingIn = request.purpose === 'login' || request.purpose === 'step-up';
  return !(signingIn && request.policy === 'auto' && request.via === 'frame' && request.known);
}

/** What an approval is for. */
export type Purpose = 'login' | 'link' | 'step-up' | 'device' | 'api';

/** How an end is told to the person: the key of its words. */
export type Ending = 'consumed' | 'denied' | 'denied_code' | 'cancelled' | 'replaced' | 'revoked' | 'expired' | 'timed_out';

/** Names the end of a transaction for the page that waited for it. */
export function endingOf({ state, reason }: { state: State; reason?: string | undefined }): Ending {
  if (state === 'denied') return reason === 'code' ? 'denied_code' : 'denied';
  if (state === 'cancelled') return reason === 'replaced' || reason === 'revoked' ? reason : 'cancelled';
  // A QR that nobody scanned, or a sign-in that stopped half-way.
  if (state === 'expired') return reason === 'pending' ? 'expired' : 'timed_out';
  return 'consumed';
}
