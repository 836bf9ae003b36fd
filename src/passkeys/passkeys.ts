import type Router from '@koa/router';
import * as z from 'zod';
import type { Context } from '../context.ts';
import type { Devices } from '../devices/devices.ts';
import type { PasskeySignIns } from '../devices/passkeys.ts';
import { AppError } from '../errors.ts';
import type { Browsers } from '../lib/http/browser.ts';
import { route, type RouteContext } from '../lib/http/route.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import { ACR, meets, requestedAcr } from '../oidc/acr.ts';
import type { Authentication, InteractionDetails, Interactions } from '../oidc/sign-in/interactions.ts';
import type { SignInMethod } from '../oidc/sign-in/sign-in.ts';
import './events.ts';

export interface PasskeyRooms {
  readonly passkeys: PasskeySignIns;
  readonly devices: Pick<Devices, 'usable'>;
  readonly accounts: AccountDirectory;
  readonly browsers: Browsers;
}

/** What a request asks of who signs in. */
interface Asked {
  readonly expected: string | undefined;
  readonly level: 1 | 2;
}

const ASSERTION = z.strictObject({ assertion: z.string().max(32_768) });

/**
 * Creates the sign-in by passkey, which stands beside the QR (RFC 10027 §6.2 puts WebAuthn first): the passkeys are the
 * user-verifying keys of enrolled phones, and the browser reaches a phone that is near by the hybrid transport.
 *
 * A passkey proves who signs in and nothing else, since nobody has been shown what the client asks for: consent follows.
 */
export function createPasskeySignIn(
  { db, clock, events, limits, issuer }: Pick<Context, 'db' | 'clock' | 'events' | 'limits' | 'issuer'>,
  { passkeys, devices, accounts, browsers }: PasskeyRooms,
) {
  const limit = { limit: limits.limit({ name: 'passkey', points: 60, seconds: 60 }) };

  /** A challenge is for one page of one browser; the form's token has seen to it that there is a browser. */
  const pageOf = (ctx: RouteContext, { uid }: InteractionDetails) => `${browsers.hash(browsers.ensure(ctx))}|${uid}`;

  async function authenticate(ctx: RouteContext, details: InteractionDetails, asked: Asked, assertion: string): Promise<Authentication> {
    const { expected, level } = asked;
    const { id: deviceId, accountId, levelCap } = await passkeys.verify(parse(assertion), pageOf(ctx, details));
    if (!(await accounts.find(accountId))) throw new AppError('device_revoked', 'the account of this passkey no longer exists');
    if (expected !== undefined && expected !== accountId) throw new AppError('wrong_account', 'this request is for another account');
    if (levelCap < level) throw new AppError('uv_required', 'a new phone counts as level 1 for a day');
    // Below level 2 it is one factor: nothing that rests on the phone's owner is claimed of it.
    const [acr, amr] = levelCap === 2 ? [ACR.two, ['swk', 'user', 'mfa']] : [ACR.one, ['swk', 'user']];
    await db.transaction(async (tx) => {
      if (!(await devices.usable(deviceId, tx))) throw new AppError('device_revoked', 'the phone of this passkey was revoked');
      await events.emit(tx, 'passkey.signed_in', { deviceId, accountId, acr, clientId: details.clientId, address: ctx.ip });
    });
    return { accountId, acr, amr, authTime: Math.floor(clock() / 1000), deviceId };
  }

  const method: Pick<SignInMethod, 'panel'> = {
    async panel(_ctx, details) {
      const { prompt, params, uid } = details;
      if (prompt.name !== 'login' && !meets(ACR.two, requestedAcr(params))) return undefined;
      return { view: 'passkeys/button', data: { base: `${issuer}/interaction/${encodeURIComponent(uid)}` }, scripts: ['passkey'] };
    },
  };

  return {
    ...method,

    routes(router: Router, interactions: Interactions): void {
      const base = '/interaction/:uid/passkey';

      route(router, { method: 'POST', path: `${base}/options`, kind: 'form', limit }, async (ctx) => {
        ctx.body = passkeys.options(pageOf(ctx, await interactions.details(ctx)));
      });

      route(router, { method: 'POST', path: base, kind: 'form', body: ASSERTION, limit }, async (ctx, { body }) => {
        const details = await interactions.details(ctx);
        const asked = { expected: await interactions.expectedAccount(details), level: await interactions.level(details) };
        const authentication = await authenticate(ctx, details, asked, body.assertion);
        browsers.remember(ctx, authentication.accountId);
        await interactions.signIn(ctx, details, authentication, { consent: false });
      });
    },
  };
}

function parse(assertion: string): unknown {
  try {
    return JSON.parse(assertion) as unknown;
  } catch (cause) {
    throw new AppError('invalid_request', 'field "assertion" is not JSON', { cause });
  }
}
