import type { ScopeWords } from '../../oidc/configuration/resources.ts';

/** A scope for each call. */
export const TWO_CALL_SCOPE = {
  enrol: 'credential:totp:enrol:post',
  validate: 'credential:totp:validate:post',
} as const;

export type TwoCallScope = (typeof TWO_CALL_SCOPE)[keyof typeof TWO_CALL_SCOPE];

/** What each lets a client do: clients get them by their metadata `tandem_resources`, nobody by default. */
export const TWO_CALL_SCOPES: Readonly<Record<TwoCallScope, ScopeWords>> = {
  [TWO_CALL_SCOPE.enrol]: {
    en: 'Check a password, and set up an authenticator app',
    de: 'Ein Passwort prüfen und eine Authenticator-App einrichten',
    fr: 'Vérifier un mot de passe et configurer une application d’authentification',
    nl: 'Een wachtwoord controleren en een authenticator-app instellen',
  },
  [TWO_CALL_SCOPE.validate]: {
    en: 'Check the code of an authenticator app',
    de: 'Den Code einer Authenticator-App prüfen',
    fr: 'Vérifier le code d’une application d’authentification',
    nl: 'De code van een authenticator-app controleren',
  },
};
