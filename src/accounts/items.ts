import type { Context as KoaContext } from 'koa';

/** A line on the account's page: a way to sign in, and where it is looked after. */
export interface AccountItemView {
  readonly title: string;
  /** How it stands, in one sentence. */
  readonly text: string;
  /** Under the issuer. */
  readonly path: string;
  /** The words of the link there. */
  readonly link: string;
}

/** Makes a room's line on the page of an account, in the reader's words; undefined where it has none for this account. */
export type AccountItem = (ctx: KoaContext, accountId: string) => Promise<AccountItemView | undefined>;
