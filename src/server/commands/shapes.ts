import type { AdminAccount, AuditEvent, ClientKey, ClientSecret, Device, InitialAccessToken, KeyDescription, NewSecret, RegisteredClient, ResourceServer } from '../../index.ts';

/*
 * What --json answers, as the admin API does, so that a program may go either way: the tests compare them.
 */

/** An instant for programs (RFC 3339); null where there is none. */
const at = (milliseconds: number | undefined): string | null => (milliseconds === undefined ? null : new Date(milliseconds).toISOString());

/** Of the accounts of a program around this one nobody has told since when there are any. */
const since = (milliseconds: number | undefined): string | null => at(milliseconds || undefined);

export const secretJson = ({ id, createdAt, expiresAt }: ClientSecret) => ({ id, created_at: at(createdAt), expires_at: at(expiresAt) });

export const newSecretJson = ({ id, value, expiresAt }: NewSecret) => ({ id, client_secret: value, expires_at: at(expiresAt) });

export const clientKeyJson = ({ kid, algorithm, generated, createdAt }: ClientKey) => ({ kid, algorithm, generated, created_at: at(createdAt) });

export const clientJson = ({ clientId, metadata, origin, secrets, keys, createdAt, updatedAt }: RegisteredClient) => ({
  ...metadata,
  client_id: clientId,
  origin,
  secrets: secrets.map(secretJson),
  keys: keys.map(clientKeyJson),
  created_at: at(createdAt),
  updated_at: at(updatedAt),
});

export const resourceServerJson = ({ createdAt, updatedAt, ...server }: ResourceServer) => ({ ...server, created_at: at(createdAt), updated_at: at(updatedAt) });

export const registrationTokenJson = ({ id, label, policy, state, createdAt, expiresAt, clientId }: InitialAccessToken) => ({
  id,
  label,
  policy: {
    grant_types: policy.grantTypes,
    auth_methods: policy.authMethods,
    redirect_hosts: policy.redirectHosts,
    scopes: policy.scopes,
    metadata: policy.metadata,
  },
  state,
  created_at: at(createdAt),
  expires_at: at(expiresAt),
  client_id: clientId ?? null,
});

export const accountJson = ({ id, email, name, admin, password, phones, authenticators, createdAt, updatedAt, passwordChangedAt }: AdminAccount) => ({
  id,
  email,
  name: name ?? null,
  admin,
  has_password: password,
  phones,
  authenticators,
  created_at: since(createdAt),
  updated_at: since(updatedAt),
  password_changed_at: password ? since(passwordChangedAt) : null,
});

export const deviceJson = ({ id, accountId, name, platform, userVerifying, levelCap, cappedUntil, createdAt, lastUsedAt }: Device) => ({
  id,
  account_id: accountId,
  name,
  platform,
  user_verifying: userVerifying,
  level: userVerifying ? levelCap : 1,
  capped_until: at(cappedUntil),
  created_at: at(createdAt),
  last_used_at: at(lastUsedAt),
});

export const managedAccountJson = (managed: { readonly accountId: string; readonly subject: string; readonly since: number }) => ({
  account_id: managed.accountId,
  subject: managed.subject,
  since: at(managed.since),
});

export const keyJson = ({ kid, purpose, state, createdAt, activatesAt, activatedAt, retiredAt, endsAt }: KeyDescription) => ({
  kid,
  purpose,
  state,
  created_at: at(createdAt),
  activates_at: at(activatesAt),
  activated_at: at(activatedAt),
  retired_at: at(retiredAt),
  ends_at: at(endsAt),
});

export const eventJson = ({ id, at: when, name, accountId, clientId, deviceId, transactionId, address, data }: AuditEvent) => ({
  id,
  at: at(when),
  name,
  account_id: accountId,
  client_id: clientId,
  device_id: deviceId,
  transaction_id: transactionId,
  address,
  data,
});
