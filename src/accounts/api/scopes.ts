import type { ScopeWords } from '../../oidc/configuration/resources.ts';

/** The scope of `POST /api/accounts`. */
export const CREATE_ACCOUNTS = 'accounts:create';

/** What it lets a client do: clients get it by their metadata `tandem_resources`, nobody by default. */
export const ACCOUNT_SCOPES: Readonly<Record<typeof CREATE_ACCOUNTS, ScopeWords>> = {
  [CREATE_ACCOUNTS]: {
    en: 'Create accounts for people who register with it',
    de: 'Konten für Menschen anlegen, die sich dort registrieren',
    fr: 'Créer des comptes pour les personnes qui s’y inscrivent',
    nl: 'Accounts aanmaken voor mensen die zich daar registreren',
  },
};
