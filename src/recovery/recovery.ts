import type { Transaction } from '../context.ts';
import type { RouteContext } from '../lib/http/route.ts';

/** Codes for the day on which phone and authenticator are gone. */
export interface Recovery {
  has(accountId: string, tx?: Transaction): Promise<boolean>;
  /** How many codes are unused. */
  left(accountId: string): Promise<number>;
  /** Makes a new set of ten, which voids the old. The codes are in this answer alone. */
  make(accountId: string, origin?: { address?: string | undefined }): Promise<string[]>;
  /** Voids the codes, as when the last factor that they stand for is gone. */
  void(tx: Transaction, accountId: string): Promise<void>;
  /**
   * Uses a code, once. Unless told to `keep` them, the account's phones are revoked as lost, its authenticators removed,
   * and its sessions ended but that of `sessionUid`.
   *
   * @throws AppError `invalid_code`, `rate_limited`
   */
  use(accountId: string, code: string, options: { keep: boolean; sessionUid?: string | undefined; address?: string | undefined; clientId?: string | undefined }): Promise<void>;
}

/** Answers this request with the codes of a first set where the account has none yet; false where it has. `next` is where the page leads on. */
export type ShowFirstCodes = (ctx: RouteContext, accountId: string, next: { readonly path: string; readonly label?: string }) => Promise<boolean>;
