import { emailKey } from '../accounts/email.ts';
import type { EnrolmentApi } from '../devices/api/service.ts';
import { createDevices } from '../devices/devices.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import { sectorOf } from '../oidc/subjects/subjects.ts';
import { createPasskeySignIn } from '../passkeys/passkeys.ts';
import { createPhoneApp } from '../phone/routes.ts';
import { createQr } from '../qr/qr.ts';
import { createRecovery, type ShowFirstCodes } from '../recovery/recovery.ts';
import { createTotp } from '../totp/totp.ts';
import { twoCallOperations } from '../totp/two-call/operations.ts';
import { createTwoCall, type TwoCall } from '../totp/two-call/two-call.ts';
import { directoryFor, type FirstCodes, type Frame } from './frame.ts';

/** Recovery codes; `finish` puts their panel and their item behind those of the factors that they stand in for. */
export function addRecovery({ context, features, home, http, router, oidc, factors, changes, secondFactors, late, methods, items }: Frame, accounts: AccountDirectory) {
  const recovery = createRecovery(context, {
    accounts,
    gate: oidc.gate,
    views: http.views,
    browsers: http.browsers,
    factors,
    changes,
    home,
    hashing: features.accounts?.options.hashing,
    held: {
      any: factors.any,
      authenticators: secondFactors.required,
      async names(accountId) {
        const [phones = [], authenticators = []] = [await late.devices?.list(accountId), await late.authenticators?.list(accountId)];
        return { phones: phones.map(({ name }) => name), authenticators: authenticators.map(({ name }) => name) };
      },
      lostUnproven: async (accountId, tx) => (await late.devices?.lostUnproven(accountId, tx)) ?? false,
      endPhones: async (tx, accountId, reason, address) => (await late.devices?.loseAll(tx, accountId, reason, address)) ?? 0,
      endAuthenticators: async (tx, accountId, reason, address) => (await late.authenticators?.removeAll(tx, accountId, reason, { address })) ?? 0,
      async proven(tx, accountId) {
        await late.devices?.vouch(accountId, tx);
        await late.devices?.liftCap(accountId, tx);
      },
    },
  });
  recovery.routes(router, oidc.interactions);
  return {
    ...recovery,
    finish() {
      methods.push(recovery.method);
      items.push(recovery.item);
    },
  };
}

/** Phones: their enrolment, the app that runs on them, and the sign-ins that they approve. Returns what clients may do about phones, where they may. */
export function addQr(frame: Frame, recovery: FirstCodes | undefined): EnrolmentApi | undefined {
  const { context, options, features, http, router, oidc, factors, changes, secondFactors, late, accounts, roles, methods, items, sweepers, closers, managed } = frame;
  const { accounts: _host, ...qrOptions } = features.qr!.options;
  const { origin } = options.phone ?? {};
  const name = options.theme?.name;
  const rooms = { accounts: directoryFor(frame, 'qr'), gate: oidc.gate, browsers: http.browsers, views: http.views, phoneOrigin: origin };
  const phones = createDevices(context, { ...rooms, factors, changes, useExemption: roles.useExemption, showFirstCodes: recovery?.showFirstCodes, name, home: accounts && '/account', others: accounts ? [] : items });
  const devices = (late.devices = phones.service);
  const passkey = devices.passkeys && createPasskeySignIn(context, { ...rooms, passkeys: devices.passkeys, devices });
  // Where a password alone has ended the phones before, codes would make it as good as they were.
  const firstCodes: ShowFirstCodes = async (ctx, accountId, next) => !(await devices.lostUnproven(accountId)) && ((await recovery?.showFirstCodes(ctx, accountId, next)) ?? false);
  const qr = createQr(context, { ...qrOptions, ...rooms, devices, secondFactors, firstCodes, below: passkey });
  phones.routes(router);
  createPhoneApp(context, { views: http.views, name, origin }).routes(router);
  passkey?.routes(router, oidc.interactions);
  qr.routes(router, oidc.interactions);
  methods.push(qr.method);
  items.push(phones.item);
  sweepers.push(() => devices.sweep(), () => qr.sweep());
  closers.push(() => qr.close());
  const passwordSince = async (accountId: string) => ((await accounts?.hasPassword(accountId)) ? (await accounts!.profile(accountId))?.passwordChangedAt : undefined);
  return managed && phones.enrolmentApi({ managed, passwordSince, isAdmin: roles.isAdmin });
}

/** Authenticator apps; their panel stands first on the pages that it is on. */
export function addTotp(frame: Frame, recovery: FirstCodes | undefined): void {
  const { context, options, features, http, router, oidc, pages, factors, changes, late, accounts, methods, items, sweepers } = frame;
  const room = createTotp(context, {
    ...features.totp!.options,
    accounts: directoryFor(frame, 'totp'),
    gate: oidc.gate,
    http,
    showSignIn: pages.signInPage,
    recovery: recovery?.service,
    factors,
    changes,
    name: options.theme?.name,
    home: accounts && '/account',
    others: accounts ? [] : items,
    showFirstCodes: recovery?.showFirstCodes,
    verified: async (tx, accountId) => late.devices?.liftCap(accountId, tx),
  });
  late.authenticators = room.service;
  room.routes(router, oidc.interactions);
  methods.unshift(room.method);
  items.push(room.item);
  sweepers.push(() => room.service.sweep());
}

/** The 2FA API of two calls, for which Tandem must know passwords and codes alike. */
export function addTwoCall({ context, features, home, api, router, oidc, protect, factors, late, accounts, sweepers }: Frame): TwoCall | undefined {
  const { authenticators } = late;
  if (!accounts || !authenticators || !features.totp) return undefined;
  const twoCall = createTwoCall(context, {
    ...features.totp.options,
    accounts,
    authenticators,
    factors,
    emailKey,
    protect,
    // A caller that is no client has a sector of its own; a client's begins with another word.
    subjectOf: (accountId, client) => oidc.subjects!.of(client ? sectorOf(client) : 'two-call', accountId),
    home,
  });
  twoCall.routes(router);
  for (const each of twoCallOperations({ open: features.totp.options.insecureUnauthenticatedTwoCallApi ?? false })) api.describe(each);
  sweepers.push(() => twoCall.sweep());
  return twoCall;
}
