import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { ACR, meets, requestedAcr, satisfies, STEP_UP, type AcrRequest } from '../acr.ts';
import { BUILT_IN_CLIENT } from '../built-in-client.ts';
import { isBelowSite, owesFactor } from '../sign-in/second-factor.ts';
import type { SecondFactors } from '../sign-in/sign-in.ts';
import { demandedLevel, type Levels } from './levels.ts';

const { Check, Prompt, base } = interactionPolicy;
type Policy = readonly InstanceType<typeof Prompt>[];

/** Why it asks: what the request would like or needs, what site, client or scope demand, and the account's own rule. */
export type StepUpReason = 'acr_unmet' | 'level_required' | 'second_factor';

/** What the policy knows beside the request. */
export interface PolicyParts {
  readonly levels: Levels;
  readonly secondFactors: SecondFactors;
}

const LIBRARY_ACR_CHECKS = new Set(['essential_acr', 'essential_acrs']);

/**
 * The host's policy, or the library's, with the question of `acr` moved out of the `login` prompt into one of its own:
 * there a password login would be asked for again and again, and only equality would count.
 */
export function createPolicy(parts: PolicyParts, hostPolicy: Policy = base()): interactionPolicy.DefaultPolicy {
  const policy = base();
  policy.clear();
  for (const prompt of hostPolicy) policy.add(prompt.name === 'login' ? withoutAcrChecks(prompt) : prompt);
  const consent = policy.findIndex(({ name }) => name === 'consent');
  policy.add(stepUp(parts), consent === -1 ? policy.length : consent);
  return policy;
}

/** A session outlives its account; without this check the library would fail on the account that it does not find. */
const accountGone = () =>
  new Check('account_gone', 'the account of the session no longer exists', ({ oidc }) => oidc.session?.accountId !== undefined && oidc.account === undefined);

/** A copy, since the host's own prompt is not ours to change. */
function withoutAcrChecks(prompt: InstanceType<typeof Prompt>) {
  const own = `${prompt.name}_prompt`; // the constructor adds it anew
  const kept = [...prompt.checks].filter(({ reason }) => reason !== own && !LIBRARY_ACR_CHECKS.has(reason));
  return new Prompt({ name: prompt.name, requestable: prompt.requestable }, prompt.details, ...kept, accountGone());
}

/** There is no going on without it. */
const mandatory = () => ({ essential: true });

function stepUp(parts: PolicyParts) {
  return new Prompt(
    { name: STEP_UP, requestable: false },
    ({ oidc }: KoaContextWithOIDC) => ({ acr: requestOf(oidc)?.values ?? [], essential: requestOf(oidc)?.essential ?? false }),
    acrUnmet(),
    levelRequired(parts),
    secondFactor(parts),
  );
}

const acrUnmet = () =>
  new Check(
    'acr_unmet' satisfies StepUpReason,
    'none of the requested ACRs could be obtained',
    'unmet_authentication_requirements',
    ({ oidc }) => {
      const request = requestOf(oidc);
      if (!request || meets(oidc.session?.acr, request)) return Check.NO_NEED_TO_PROMPT;
      if (request.essential) return Check.REQUEST_PROMPT;
      // A voluntary class is asked for once, and never at the cost of a silent request.
      const asked = STEP_UP in (oidc.result ?? {});
      return asked || oidc.prompts.has('none') ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT;
    },
  );

const levelRequired = ({ levels, secondFactors }: PolicyParts) =>
  new Check(
    'level_required' satisfies StepUpReason,
    'a sign-in with two factors is required',
    'interaction_required',
    async ({ oidc: { session, client, params } }) => {
      if (client?.clientId === BUILT_IN_CLIENT) return isBelowSite(session ?? {}, levels.site, secondFactors);
      return client !== undefined && !satisfies(session?.acr, ACR.two) && (await demandedLevel(levels, client, params ?? {})) === 2;
    },
    mandatory,
  );

const secondFactor = ({ secondFactors }: PolicyParts) =>
  new Check(
    'second_factor' satisfies StepUpReason,
    'the second factor of the account is required',
    'interaction_required',
    ({ oidc }) => owesFactor(oidc.session ?? {}, secondFactors),
    mandatory,
  );

const requestOf = (oidc: KoaContextWithOIDC['oidc']) => acrRequestOf(oidc.params ?? {}, oidc.client?.clientId);

/** What a request asks of `acr`. The account pages ask by `acr_values`, as a request with response type `none` has no claims parameter. */
export function acrRequestOf(params: Readonly<Record<string, unknown>>, clientId: string | undefined): AcrRequest | undefined {
  const request = requestedAcr(params);
  return request && { ...request, essential: request.essential || clientId === BUILT_IN_CLIENT };
}
