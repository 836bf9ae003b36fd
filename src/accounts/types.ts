import type { FindAccount } from 'oidc-provider';
import type { Transaction } from '../context.ts';
import type { Actor } from '../lib/actor.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { PasswordRule } from './password-rule.ts';
import type { Account } from './store.ts';

export type { Account };

/** Where a request came from, as far as it is known. */
export interface Origin {
  /** The network address. */
  readonly address?: string | undefined;
}

/** How an account comes to be. */
export interface Making extends Origin {
  /** Who makes it, where that is not the person that it is for. */
  readonly actor?: Actor | undefined;
  /** What is done with it in the same transaction. */
  readonly also?: ((tx: Transaction, account: Account) => Promise<void>) | undefined;
}

/** A try at a password. */
export interface Attempt extends Origin {
  /** The name of a browser on which accounts have signed in, and whether one of them was this account. */
  readonly browser?: { readonly name: string; readonly knows: (accountId: string) => boolean } | undefined;
}

/** Tandem's own accounts: at `t.accounts`. Times in milliseconds since the epoch. */
export interface AccountsService extends AccountDirectory {
  /**
   * Makes an account.
   *
   * That an address is taken cannot be hidden: without mail, a new account works at once, and somebody else's does
   * not. So the answer is plain, its work is the same either way, and what stops a search for addresses is the limit
   * of registrations per network address.
   *
   * @param input `locale`: the language in which the account is written to, as a BCP 47 tag
   * @throws AppError `invalid_request` (e-mail, name, locale), `weak_password` with `extra.reason`, `email_taken`, `rate_limited`
   */
  register(input: { email: string; password: string; name?: string | undefined; locale?: string | undefined }, making?: Making): Promise<Account>;
  /**
   * Makes an account without a password, for a person that somebody else knows; its people sign in by phone, and may set a password later. By
   * password nobody signs in to it: that fails as for an address without an account, after the same work.
   *
   * @throws AppError `invalid_request` (e-mail, name, locale), `email_taken`
   */
  create(input: { email: string; name?: string | undefined; locale?: string | undefined }, making: Making & { readonly actor: Actor }): Promise<Account>;
  /**
   * The account of an e-mail address and its password. Known and unknown addresses do the same work, count against
   * the same limits and fail alike.
   *
   * @throws AppError `invalid_credentials`, `rate_limited`
   */
  verifyPassword(email: string, password: string, attempt?: Attempt): Promise<Account>;
  profile(accountId: string): Promise<Account | undefined>;
  /** The account of an e-mail address, however it is spelt. For administrators: whoever else may ask learns who has an account. */
  findByEmail(email: string): Promise<Account | undefined>;
  /** @throws AppError `invalid_request`, `not_found` */
  rename(accountId: string, name: string, origin?: Origin): Promise<void>;
  /**
   * Changes the password, which ends the account's sessions but that of `sessionUid`.
   *
   * @throws AppError `invalid_credentials` (the current one), `weak_password`, `rate_limited`, `not_found`, `conflict`
   */
  changePassword(accountId: string, passwords: { current: string; next: string }, attempt?: Attempt & { readonly sessionUid?: string }): Promise<void>;
  /** Whether the account has a password; false for one that there is not. */
  hasPassword(accountId: string): Promise<boolean>;
  /**
   * Gives a password to an account that has none, which ends its sessions but that of `sessionUid`. Who asks must have signed in just now.
   *
   * @throws AppError `weak_password`, `not_found`, `conflict` where it has one
   */
  setPassword(accountId: string, password: string, origin?: Origin & { readonly sessionUid?: string }): Promise<void>;
  /** Tells the other rooms that the account has signed out. */
  signedOut(accountId: string, origin?: Origin): Promise<void>;
  /** For the provider's configuration. */
  readonly findAccount: FindAccount;
  readonly passwordRule: PasswordRule;
}
