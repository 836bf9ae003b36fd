import { ACR, satisfies, STEP_UP } from '../acr.ts';
import { acrRequestOf, type StepUpReason } from '../configuration/policy.ts';
import type { InteractionDetails } from './interactions.ts';
import { completes } from './second-factor.ts';

type Details = Pick<InteractionDetails, 'prompt' | 'params' | 'clientId'>;

export const isStepUp = ({ prompt }: Details): boolean => prompt.name === STEP_UP;

const hasReason = ({ prompt }: Details, reason: StepUpReason) => prompt.reasons.includes(reason);

/** True where the client, or what it asks for, needs the stronger sign-in, rather than the account alone. */
export function isDemanded(details: Details): boolean {
  const essential = acrRequestOf(details.params, details.clientId)?.essential ?? false;
  return hasReason(details, 'level_required') || (hasReason(details, 'acr_unmet') && essential);
}

/** Whether a method that can give `reach` ends the step up: by every reason that must be met, or by the one that may be. */
export function suffices(reach: string, details: Details): boolean {
  const request = acrRequestOf(details.params, details.clientId);
  const asked = request !== undefined && hasReason(details, 'acr_unmet') && (request.essential || details.prompt.reasons.length === 1);
  if (asked && !request.values.some((value) => satisfies(reach, value))) return false;
  if (hasReason(details, 'level_required') && !satisfies(reach, ACR.two)) return false;
  return !hasReason(details, 'second_factor') || completes(reach);
}

/** Which words the page speaks. The account's own rule comes first: its people know it, and the rest follows from it. */
export function wordsOf(details: Details): 'second_factor' | 'level' | 'step_up' {
  if (hasReason(details, 'second_factor')) return 'second_factor';
  return hasReason(details, 'level_required') ? 'level' : 'step_up';
}
