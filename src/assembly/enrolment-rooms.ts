import { accountOperations } from '../accounts/api/operations.ts';
import { createAccountCreation } from '../accounts/api/service.ts';
import { createManagedAccounts, type ManagedAccounts } from '../clients/managed-accounts/managed-accounts.ts';
import type { Context } from '../context.ts';
import { enrolmentOperations } from '../devices/api/operations.ts';
import type { EnrolmentApi } from '../devices/api/service.ts';
import { AppError } from '../errors.ts';
import type { AccessTokens } from '../oidc/access-tokens.ts';
import type { Features, Frame } from './frame.ts';

/** The accounts that clients look after, where they may. */
export function managedAccountsOf(context: Context, { features, tokens }: { features: Features; tokens: Pick<AccessTokens, 'accountOf' | 'subjectsOf'> }): ManagedAccounts | undefined {
  if (!features.enrolment) return undefined;
  return createManagedAccounts(context, {
    async subjectsOf(clientId, accountIds) {
      const subjects = await tokens.subjectsOf(clientId, accountIds);
      if (!subjects) throw new AppError('not_found', 'there is no such client');
      return subjects;
    },
    accountOf: (clientId, subject) => tokens.accountOf(clientId, subject),
  });
}

/** What clients make and enrol: accounts where they are Tandem's own, and phones. */
export function addEnrolment({ context, api, accounts, managed, sweepers }: Frame, phones: EnrolmentApi | undefined): void {
  if (!managed) return;
  if (accounts) {
    const creation = createAccountCreation(context, { accounts, managed });
    accountOperations(api, creation);
    sweepers.push(() => creation.sweep());
  }
  if (phones) enrolmentOperations(api, context, phones);
}
