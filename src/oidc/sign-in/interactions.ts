import type { Context as KoaContext } from 'koa';
import type { Client, InteractionResults, Provider } from 'oidc-provider';
import { errors } from 'oidc-provider';
import type { Context, Transaction } from '../../context.ts';
import { AppError } from '../../errors.ts';
import type { Views } from '../../lib/views/views.ts';
import { BUILT_IN_CLIENT } from '../built-in-client.ts';
import { ACR, requestedLevel, satisfies, STEP_UP } from '../acr.ts';
import { askedFor, claimsAsked } from '../configuration/claims-parameter.ts';
import { demandedLevel, resourcesAsked, type Level, type Levels } from '../configuration/levels.ts';
import { describeScope } from '../configuration/resources.ts';
import type {} from '../events.ts';
import { sectorOf, type Subjects } from '../subjects/subjects.ts';
import { expectedSubject } from './expected-subject.ts';
import type { SignedIn } from './sign-in.ts';
import { isStepUp, suffices } from './step-up.ts';

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
  /** The phone that approved: what it signs in ends with it when it is lost. */
  readonly deviceId?: string | undefined;
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
  /** What request, client, scopes and site ask of a phone: level 2 where nothing weaker will do. */
  level(details: InteractionDetails): Promise<Level>;
  /**
   * The sign-in that a second factor is added to, for use before that is verified.
   *
   * @throws AppError `conflict` where none is due, `expired` where somebody else has signed in since
   */
  steppingUp(ctx: KoaContext, details: InteractionDetails): Promise<SignedIn>;
  /**
   * Adds a second factor, which has just been proven, to the sign-in, and redirects (303) to where the interaction resumes.
   * The `acr` is 2 then, with `mfa` among the `amr`; what is known of the first factor stays.
   *
   * @param factor its `amr`, such as `otp`
   * @throws like {@link Interactions.steppingUp}
   */
  addFactor(ctx: KoaContext, details: InteractionDetails, factor: { readonly amr: readonly string[] }): Promise<void>;
  /** Grants all that the request asks, on behalf of whom the interaction's session belongs to, and goes on. */
  consent(ctx: KoaContext, details: InteractionDetails): Promise<void>;
  /** Goes on without the stronger sign-in that the request would have liked. */
  declineStepUp(ctx: KoaContext, details: InteractionDetails): Promise<void>;
  /** Ends the request with an OAuth error at the client; `access_denied` unless told otherwise. */
  deny(ctx: KoaContext, details: InteractionDetails, description: string, error?: DenialCode): Promise<void>;
}

export type DenialCode = 'access_denied' | 'unmet_authentication_requirements';

/** Prompts with which the person must prove to be the one who is signed in already. */
const REAUTHENTICATION = new Set(['max_age']);

/**
 * Two factors this close to one another, in seconds, are one sign-in, as of the second. Later, the time of the sign-in stays
 * that of the first: a code alone does not make an old session fresh.
 */
const ONE_SITTING = 10 * 60;

/** Creates the interactions of a provider. */
export function createInteractions(
  provider: Provider,
  { db, clock, events }: Pick<Context, 'db' | 'clock' | 'events'>,
  { views, levels, subjects }: { views: Views; levels: Levels; subjects: Subjects | undefined },
): Interactions {
  const loaded = new WeakMap<KoaContext, ReturnType<Provider['interactionDetails']>>();

  /** The interaction of this request, looked up once however many steps ask for it; the library looks again when it ends it. */
  async function current(ctx: KoaContext) {
    const looking = loaded.get(ctx) ?? provider.interactionDetails(ctx.req, ctx.res);
    loaded.set(ctx, looking);
    try {
      return await looking;
    } catch (cause) {
      if (cause instanceof errors.SessionNotFound) throw new AppError('expired', 'the sign-in has ended or expired; go back to the site and start again', { cause });
      throw cause;
    }
  }

  async function clientOf(details: InteractionDetails): Promise<Client> {
    const client = await provider.Client.find(details.clientId);
    if (!client) throw new AppError('expired', 'the client is no longer registered');
    return client;
  }

  /** Ends the interaction; the library resumes the request where the browser is sent. */
  async function finish(ctx: KoaContext, result: InteractionResults, options?: { mergeWithLastSubmission: boolean }) {
    const returnTo = await provider.interactionResult(ctx.req, ctx.res, result, options);
    // A script follows by itself: its fetch would lose the page on the way.
    if (ctx.accepts('html', 'json') === 'json') {
      ctx.body = { location: returnTo };
      return;
    }
    ctx.redirect(returnTo);
    ctx.status = 303;
  }

  /** The session that a step up is about, which may have become another's while its page stood open. */
  async function sessionOf(ctx: KoaContext, details: InteractionDetails) {
    if (!isStepUp(details) || !details.accountId) throw new AppError('conflict', 'no second factor is due');
    if (!suffices(ACR.two, details)) throw new AppError('conflict', 'a second factor is not what this request asks for');
    const [interaction, session] = [await current(ctx), await provider.Session.get(ctx as never)];
    if (session.accountId !== details.accountId || session.uid !== interaction.session?.uid) {
      throw new AppError('expired', 'this sign-in is over, or somebody else has signed in since; go back to the site and start again');
    }
    return { session, before: interaction.lastSubmission ?? {} };
  }

  const tell = (work: (tx: Transaction) => Promise<void>) => db.transaction(work);
  /** A step up is over when somebody signed in during it; where that was not enough, a voluntary one is not asked again. */
  const done = (details: InteractionDetails) => (isStepUp(details) ? { [STEP_UP]: {} } : {});

  return {
    async details(ctx) {
      const interaction = await current(ctx);
      const { uid } = ctx['params'] as { uid?: string };
      if (uid !== interaction.uid) throw new AppError('not_found', 'this sign-in belongs to another page');
      const { params, prompt, cid, session, exp } = interaction;
      views.prefer(ctx, params['ui_locales'] ?? ctx.query['ui_locales']);
      return { uid, cid, prompt, params, clientId: String(params['client_id']), accountId: session?.accountId, expiresAt: exp };
    },

    async client(details) {
      const client = await clientOf(details);
      const redirectUri = details.params['redirect_uri'];
      return {
        clientId: client.clientId,
        // The account's own pages are part of the site, and called as it is.
        name: client.clientId === BUILT_IN_CLIENT ? views.site : (client.clientName ?? client.clientId),
        logoUri: client.logoUri,
        policyUri: client.policyUri,
        tosUri: client.tosUri,
        redirectHost: typeof redirectUri === 'string' && URL.canParse(redirectUri) ? new URL(redirectUri).host : undefined,
        confirm: client.tandem_confirm === 'always' ? 'always' : 'auto',
      };
    },

    async scopes(ctx, details) {
      const asked = askedFor(provider, ctx, details.params);
      const { scopes: implied, others } = claimsAsked(asked.claims);
      const scopes = new Set([...scopesOf(details), ...implied]);
      const language = views.language(ctx);
      const words = async (scope: string): Promise<string[]> => {
        if (STANDARD_SCOPES.has(scope)) return [views.text(ctx, `oidc.scope_${scope}`)];
        const known = await describeScope(levels.resources, scope, language, resourcesAsked(details.params));
        // A host may have scopes that it never told us of; what the provider does not know either is granted to nobody.
        return known.length || !asked.scopes.has(scope) ? known : [views.text(ctx, 'oidc.scope_other', { scope })];
      };
      const described = [];
      for (const scope of scopes) for (const description of await words(scope)) described.push({ scope, description });
      if (others.length) described.push({ scope: 'claims', description: views.text(ctx, 'oidc.claims', { claims: others.join(', ') }) });
      return described;
    },

    async expectedAccount(details) {
      const { prompt, params, accountId } = details;
      if (accountId && (prompt.name === STEP_UP || prompt.reasons.some((reason) => REAUTHENTICATION.has(reason)))) return accountId;
      const subject = expectedSubject(params);
      if (subject === undefined) return undefined;
      const client = await clientOf(details);
      if (client.subjectType !== 'pairwise') return subject;
      // Of a host's own pairwise subjects only the host knows the account; the provider checks the outcome in any case.
      return subjects?.accountOf(sectorOf(client), subject);
    },

    async signIn(ctx, details, { accountId, acr, amr, authTime, deviceId }, { consent }) {
      const login = { accountId, acr, amr: [...amr], ts: authTime, ...(deviceId && { deviceId }) };
      // Consent that an earlier sign-in of this request brought along was another proof's, perhaps another person's.
      const { consent: _earlier, ...before } = (await current(ctx)).lastSubmission ?? {};
      const result = { ...before, login, ...(consent && { consent: { all: true } }), ...done(details) };
      await finish(ctx, result as InteractionResults, { mergeWithLastSubmission: false });
    },

    async level(details) {
      return requestedLevel(details.params) === 2 ? 2 : demandedLevel(levels, await clientOf(details), details.params);
    },

    async steppingUp(ctx, details) {
      const { session } = await sessionOf(ctx, details);
      const { acr, amr = [], uid } = session;
      return { accountId: details.accountId!, acr, amr, authTime: session.authTime() ?? 0, sessionUid: uid };
    },

    async addFactor(ctx, details, factor) {
      const { session, before } = await sessionOf(ctx, details);
      const [first, now] = [session.authTime() ?? 0, Math.floor(clock() / 1000)];
      const complete = satisfies(session.acr, ACR.two);
      const login = {
        accountId: details.accountId!,
        acr: complete ? session.acr : ACR.two,
        amr: [...new Set([...(session.amr ?? []), ...factor.amr, 'mfa'])],
        ts: !complete && now - first <= ONE_SITTING ? now : first,
        // When the first factor was proven: what has happened to that since is seen by it.
        since: first,
        ...(session.transient && { remember: false }),
      };
      await finish(ctx, { ...before, login, ...done(details) } as InteractionResults, { mergeWithLastSubmission: false });
    },

    async consent(ctx, details) {
      if (details.prompt.name !== 'consent' || !details.accountId) throw new AppError('conflict', 'no consent is due');
      const scopes = scopesOf(details);
      await tell((tx) => events.emit(tx, 'consent.granted', { scopes, accountId: details.accountId, clientId: details.clientId }));
      await finish(ctx, { consent: { all: true } } as InteractionResults);
    },

    async declineStepUp(ctx, details) {
      if (!isStepUp(details) || details.prompt.details['essential']) throw new AppError('conflict', 'no voluntary step up is due');
      await finish(ctx, { [STEP_UP]: {} });
    },

    async deny(ctx, details, description, error = 'access_denied') {
      await tell((tx) => events.emit(tx, 'request.denied', { reason: error, accountId: details.accountId, clientId: details.clientId }));
      await finish(ctx, { error, error_description: description }, { mergeWithLastSubmission: false });
    },
  };
}

const STANDARD_SCOPES = new Set(['openid', 'profile', 'email', 'offline_access']);

const scopesOf = ({ params }: InteractionDetails) => (text(params['scope']) ?? '').split(' ').filter(Boolean);

const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
