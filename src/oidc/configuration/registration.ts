import type { AdapterFactory, Configuration, KoaContextWithOIDC } from 'oidc-provider';

type Features = NonNullable<Configuration['features']>;

/** Clients that register themselves, as the provider is configured with them. */
export interface RegistrationParts {
  readonly features: Required<Pick<Features, 'registration' | 'registrationManagement'>>;
  /** An adapter that finds initial access tokens in the registry, and everything else where `others` does. */
  adapter(others: AdapterFactory): AdapterFactory;
  /** The metadata of ours that a client has without having asked: of the policy, or what it has already. */
  given(ctx: KoaContextWithOIDC): Readonly<Record<string, unknown>>;
}

/** @throws TypeError naming what a host has of its own, too */
export function refuseOwnRegistration(parts: RegistrationParts | undefined, host: Features = {}): void {
  if (!parts) return;
  for (const name of ['registration', 'registrationManagement'] as const) {
    if (host[name] === undefined) continue;
    throw new TypeError(`configure: features.${name} clashes with Tandem: the feature admin() brings its own; admin({ registration: false }) leaves it to you`);
  }
}
