import type { Context as KoaContext } from 'koa';

/** What an authorization request asks of the person, while its interaction lasts. */
export interface InteractionDetails {
  /** The uid in the interaction's URL; changes with every prompt. */
  readonly uid: string;
  /** Spans all prompts of one authorization request. */
  readonly cid: string;
  readonly prompt: { readonly name: string; readonly reasons: readonly string[]; readonly details: Readonly<Record<string, unknown>> };
  readonly params: Readonly<Record<string, unknown>>;
  readonly clientId: string;
  /** The account of the provider's session, if somebody is signed in. */
  readonly accountId: string | undefined;
  /** Epoch seconds. */
  readonly expiresAt: number;
}

/** The client as pages and phones show it. */
export interface ClientSummary {
  readonly clientId: string;
  readonly name: string;
  readonly logoUri: string | undefined;
  readonly policyUri: string | undefined;
  readonly tosUri: string | undefined;
  /** Host of the redirect URI that this request uses. */
  readonly redirectHost: string | undefined;
  /** When a QR sign-in at this client needs the confirm code: metadata `tandem_confirm`. */
  readonly confirm: 'auto' | 'always';
}

/** Which proof of authentication was given, by RFC 8176 method names. */
export interface Authentication {
  readonly accountId: string;
  readonly acr: string;
  readonly amr: readonly string[];
  /** Epoch seconds. */
  readonly authTime: number;
}

/** The provider's interactions, as the sign-in methods use them. */
export interface Interactions {
  /** The interaction of this browser's cookie; throws `expired` when there is none, `not_found` when `uid` is another. */
  details(ctx: KoaContext): Promise<InteractionDetails>;
  client(details: InteractionDetails): Promise<ClientSummary>;
  /** Scopes asked for, each with its plain words in the language of `ctx`. */
  scopes(ctx: KoaContext, details: InteractionDetails): Promise<ReadonlyArray<{ scope: string; description: string }>>;
  /** The account whose proof alone this request accepts (step-up, id_token_hint, sub claim), if any. */
  expectedAccount(details: InteractionDetails): Promise<string | undefined>;
  /**
   * Signs in, and redirects (303) to where the interaction resumes. With `consent`, grants all that the request asks
   * in the same result, so that no consent page follows.
   */
  signIn(ctx: KoaContext, details: InteractionDetails, authentication: Authentication, options: { consent: boolean }): Promise<void>;
  /** Ends the request with an OAuth error at the client. */
  deny(ctx: KoaContext, details: InteractionDetails, description: string): Promise<void>;
}
