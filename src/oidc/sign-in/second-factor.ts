import { ACR, byPhone, satisfies } from '../acr.ts';
import type { Level } from '../configuration/levels.ts';
import type { SecondFactors } from './sign-in.ts';

/** A sign-in, as the provider's session knows it. */
interface Proof {
  readonly accountId?: string | undefined;
  readonly acr?: string | undefined;
  readonly amr?: readonly string[] | undefined;
}

/** Whether a method that can give `acr` is enough for an account that signs in with a second factor. */
export const completes = (acr: string): boolean => satisfies(acr, ACR.two) || satisfies(acr, ACR.oneQr);

/**
 * Whether a sign-in is only half of one: the account has an authenticator, and neither its code nor a phone has followed.
 * The accounts are asked last, as most sign-ins need not.
 */
export async function owesFactor({ accountId, acr, amr }: Proof, secondFactors: SecondFactors): Promise<boolean> {
  if (accountId === undefined || satisfies(acr, ACR.two) || byPhone(amr)) return false;
  return secondFactors.required(accountId);
}

/**
 * Whether a site of level 2 lets a sign-in below that not onto the account pages. It lets those of accounts that cannot do better: the
 * pages are where a phone is added, and an account must come to its first one.
 */
export async function isBelowSite({ accountId, acr }: Proof, site: Level, secondFactors: SecondFactors): Promise<boolean> {
  if (site === 1 || accountId === undefined || satisfies(acr, ACR.two)) return false;
  return secondFactors.attainable(accountId);
}
