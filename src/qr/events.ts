import type { LiveState, Purpose, Via } from './transaction/states.ts';

declare module '../lib/events.ts' {
  interface EventMap {
    /** A browser shows a QR; `renewed` when it replaces one that ran out on the same page. */
    'qr.started': { transactionId: string; purpose: Purpose; isStatic: boolean; renewed: boolean; browser: string };
    /** A phone took it; `codeDue` when an approval will need the confirm code. */
    'qr.claimed': { transactionId: string; via: Via; known: boolean; codeDue: boolean };
    /** The phone approved, proving `level`. */
    'qr.approved': { transactionId: string; level: 1 | 2; codeDue: boolean };
    /** The person denied, or the confirm code was wrong too often. */
    'qr.denied': { transactionId: string; reason: 'person' | 'code' };
    /** A wrong confirm code was typed. */
    'qr.code_missed': { transactionId: string; triesLeft: number };
    /** The right confirm code was typed. */
    'qr.confirmed': { transactionId: string };
    'qr.cancelled': { transactionId: string; reason: CancelReason; from: LiveState };
    'qr.expired': { transactionId: string; from: LiveState };
    /** The browser became signed in. */
    'qr.redeemed': { transactionId: string; acr: string };
    /** Too many confirm codes were missed: the account approves nothing by QR for an hour. Hosts notify the account here. */
    'qr.locked': { seconds: number };
  }
}

/** Who ended it: the person in the browser, a newer QR of the same browser, or the end of the phone that held it. */
export type CancelReason = 'browser' | 'replaced' | 'revoked';
