import type { Context as KoaContext } from 'koa';
import type { Clock } from '../context.ts';
import { seeOther } from '../lib/http/answers.ts';
import type { Views } from '../lib/views/views.ts';
import type { SignedIn, SignInGate } from '../oidc/sign-in/sign-in.ts';
import type { FactorChange, FactorRequirement, Factors } from './factors.ts';

/** How old a sign-in may be to change the factors of an account, in seconds. */
const FRESH_SECONDS = 300;

/** A page on which a factor comes or goes. */
export interface ChangePage {
  readonly change: FactorChange;
  /** Its path under the issuer. */
  readonly path: string;
  /** The path of the page before it. */
  readonly back: string;
  /** Key of its title. */
  readonly title: string;
}

/** The gate before the pages on which factors come and go: whoever is let in has signed in lately, and strongly enough by {@link Factors}. */
export interface ChangeGate {
  isFresh(signedIn: Pick<SignedIn, 'authTime'>): boolean;
  /** What a sign-in lacks for a change; undefined where it lacks nothing. */
  lacks(signedIn: SignedIn, change: FactorChange): Promise<FactorRequirement | undefined>;
  /** Who has signed in lately, with what is `missing`; undefined where this has led to the sign-in. */
  require(ctx: KoaContext, missing?: FactorRequirement): Promise<SignedIn | undefined>;
  /**
   * Who may open `page`; undefined where this has answered. What is missing is said first, as the sign-in that follows cannot know why; it is asked
   * for once that was read (`ask`, which the query `proof=ask` stands for).
   */
  admit(ctx: KoaContext, page: ChangePage, ask: boolean): Promise<SignedIn | undefined>;
  /**
   * Who posts a form of the page at `path`; undefined where the sign-in no longer suffices, and the page is loaded again: it says what is missing.
   * Without a `change` a fresh sign-in will do.
   */
  poster(ctx: KoaContext, page: Pick<ChangePage, 'path'> & { readonly change?: FactorChange }): Promise<SignedIn | undefined>;
}

/** Creates the gate. */
export function createChangeGate({ clock }: { clock: Clock }, { factors, gate, views }: { factors: Pick<Factors, 'missing'>; gate: SignInGate; views: Views }): ChangeGate {
  const isFresh = ({ authTime }: Pick<SignedIn, 'authTime'>) => clock() / 1000 - authTime <= FRESH_SECONDS;
  const lacks = ({ accountId, acr }: SignedIn, change: FactorChange) => factors.missing(acr, accountId, change);
  const require = (ctx: KoaContext, missing?: FactorRequirement) =>
    gate.require(ctx, { maxAge: FRESH_SECONDS, ...(missing && { acr: missing.acr.join(' ') }) });

  return {
    isFresh,
    lacks,
    require,

    async admit(ctx, { change, path, back, title }, ask) {
      const signedIn = await require(ctx);
      const missing = signedIn && (await lacks(signedIn, change));
      if (!missing) return signedIn;
      if (ask) return require(ctx, missing);
      views.render(ctx, 'factors/proof', { by: missing.by, next: `${path}?proof=ask`, back }, { title: views.text(ctx, title) });
      return undefined;
    },

    async poster(ctx, { path, change }) {
      const signedIn = await gate.current(ctx);
      if (signedIn && isFresh(signedIn) && !(change && (await lacks(signedIn, change)))) return signedIn;
      seeOther(ctx, path);
      return undefined;
    },
  };
}
