import type { Context as KoaContext } from 'koa';
import type { Transaction } from '../../context.ts';
import type { InteractionDetails } from './interactions.ts';

/** A way to sign in that puts a panel on the sign-in page. */
export interface SignInMethod {
  readonly name: string;
  /** The strongest `acr` that it can give: where more is due, its panel is not shown. */
  readonly reach: string;
  /** The panel for this request, or undefined where the method does not apply. */
  panel(ctx: KoaContext, details: InteractionDetails): Promise<Panel | undefined>;
}

/** The second factors of accounts, as far as a sign-in depends on them. */
export interface SecondFactors {
  /** Whether the account signs in with a code beside its password, always. */
  required(accountId: string, tx?: Transaction): Promise<boolean>;
  /** Whether the account can sign in at level 2 at all, or may add what it takes on the way. */
  attainable(accountId: string): Promise<boolean>;
}

/** A partial view with its data; `scripts` are names of built browser scripts, such as `sign-in`. */
export interface Panel {
  readonly view: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly scripts?: readonly string[];
  /** True where the person has nothing to use it with: it is shown only where there is nothing else. */
  readonly idle?: boolean;
}

/** Somebody signed in at the provider in this browser. */
export interface SignedIn {
  readonly accountId: string;
  readonly acr: string | undefined;
  readonly amr: readonly string[];
  /** Epoch seconds. */
  readonly authTime: number;
  readonly sessionUid: string;
}

/** The provider's session, as the self-service pages use it. */
export interface SignInGate {
  /** Who is signed in, or undefined; a sign-in that still owes its second factor is none. */
  current(ctx: KoaContext): Promise<SignedIn | undefined>;
  /**
   * Who is signed in, with a sign-in no older than `maxAge` seconds. Otherwise redirects to sign in (an authorization
   * request of the built-in client `tandem-account` with `response_type=none`) and back to this page, and returns undefined.
   */
  require(ctx: KoaContext, options?: { maxAge?: number; acr?: string }): Promise<SignedIn | undefined>;
  /**
   * Adds a second factor, which has just been proven on a page of ours, to the sign-in of this browser: its `acr` is 2 from now on.
   * The time of the sign-in stays that of the first factor.
   *
   * @param factor its `amr`, such as `otp`
   */
  addFactor(ctx: KoaContext, factor: { readonly amr: readonly string[] }): Promise<void>;
  /**
   * Signs out at once, as the provider does when somebody confirms it at the end of a session: clients are told, grants and cookies end.
   *
   * @param ctx of a form that has proven to be our own, and bears the fields `logout=yes` and `xsrf`
   * @param xsrf the value of that field
   */
  signOut(ctx: KoaContext, xsrf: string): Promise<void>;
}
