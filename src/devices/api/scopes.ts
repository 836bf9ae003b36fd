import type { ScopeWords } from '../../oidc/configuration/resources.ts';

/** Scopes of the enrolment API. */
export const ENROLMENT_SCOPE = {
  /** To show a QR code, take the confirm code, and cancel. */
  enrol: 'credential:omi:enrol:qr:admin:post',
  /** To ask how far an enrolment is. */
  status: 'credential:omi:enrol:status:get',
} as const;

/** What each lets a client do: clients get them by their metadata `tandem_resources`, nobody by default. */
export const ENROLMENT_SCOPES: Readonly<Record<(typeof ENROLMENT_SCOPE)[keyof typeof ENROLMENT_SCOPE], ScopeWords>> = {
  [ENROLMENT_SCOPE.enrol]: {
    en: 'Connect the first phone of accounts that it looks after',
    de: 'Das erste Telefon von Konten verbinden, die es betreut',
    fr: 'Connecter le premier téléphone des comptes dont il s’occupe',
    nl: 'De eerste telefoon verbinden van accounts die het beheert',
  },
  [ENROLMENT_SCOPE.status]: {
    en: 'See how far the connecting of such a phone is',
    de: 'Sehen, wie weit das Verbinden eines solchen Telefons ist',
    fr: 'Voir où en est la connexion d’un tel téléphone',
    nl: 'Zien hoe ver het verbinden van zo’n telefoon is',
  },
};
