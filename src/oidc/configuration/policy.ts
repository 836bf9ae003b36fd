import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { meets, requestedAcr } from '../acr.ts';
import { BUILT_IN_CLIENT } from '../built-in-client.ts';

const { Check, Prompt, base } = interactionPolicy;
type Policy = readonly InstanceType<typeof Prompt>[];

/** The prompt that asks for a stronger proof inside a session. */
export const STEP_UP = 'step_up';

const LIBRARY_ACR_CHECKS = new Set(['essential_acr', 'essential_acrs']);

/**
 * The host's policy, or the library's, with the question of `acr` moved out of the `login` prompt into one of its own:
 * there a password login would be asked for again and again, and only equality would count.
 */
export function createPolicy(hostPolicy: Policy = base()): interactionPolicy.DefaultPolicy {
  const policy = base();
  policy.clear();
  for (const prompt of hostPolicy) policy.add(prompt.name === 'login' ? withoutAcrChecks(prompt) : prompt);
  const consent = policy.findIndex(({ name }) => name === 'consent');
  policy.add(stepUp(), consent === -1 ? policy.length : consent);
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

function stepUp() {
  return new Prompt(
    { name: STEP_UP, requestable: false },
    ({ oidc }: KoaContextWithOIDC) => ({ acr: wanted(oidc), essential: isEssential(oidc) }),
    new Check(
      'acr_unmet',
      'none of the requested ACRs could be obtained',
      'unmet_authentication_requirements',
      ({ oidc }) => {
        const request = requestedAcr(oidc.params ?? {});
        if (!request || meets(oidc.session?.acr, request)) return Check.NO_NEED_TO_PROMPT;
        if (isEssential(oidc)) return Check.REQUEST_PROMPT;
        // A voluntary class is asked for once, and never at the cost of a silent request.
        const asked = STEP_UP in (oidc.result ?? {});
        return asked || oidc.prompts.has('none') ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT;
      },
    ),
  );
}

function wanted(oidc: KoaContextWithOIDC['oidc']): readonly string[] {
  return requestedAcr(oidc.params ?? {})?.values ?? [];
}

/** The account pages ask by `acr_values`, as a request with response type `none` has no claims parameter. */
function isEssential(oidc: KoaContextWithOIDC['oidc']): boolean {
  return oidc.client?.clientId === BUILT_IN_CLIENT || (requestedAcr(oidc.params ?? {})?.essential ?? false);
}
