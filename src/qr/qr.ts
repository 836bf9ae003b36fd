import type Router from '@koa/router';
import type { Context } from '../context.ts';
import type { SignedCall, VerifyOptions } from '../devices/verification.ts';
import type { Browsers } from '../lib/http/browser.ts';
import { describeBrowser } from '../lib/http/user-agent.ts';
import type { Views } from '../lib/views/views.ts';
import { ACR } from '../oidc/acr.ts';
import type { AccountDirectory } from '../oidc/accounts.ts';
import type { InteractionDetails, Interactions } from '../oidc/sign-in/interactions.ts';
import type { SecondFactors, SignInMethod } from '../oidc/sign-in/sign-in.ts';
import type { ShowFirstCodes } from '../recovery/recovery.ts';
import './events.ts';
import { browserRoutes } from './browser-side/routes.ts';
import type { QrOptions, UsableDevices } from './transaction/core.ts';
import { phoneRoutes } from './phone-side/routes.ts';
import { createQrService } from './service.ts';
import { createWaitingPages } from './browser-side/waiting.ts';

/** The account's page on which a phone is added. */
const ADD_PHONE = '/account/devices/add';

export interface QrRooms extends QrOptions {
  readonly devices: UsableDevices & {
    verify(body: string, options: VerifyOptions): Promise<SignedCall>;
    /** The strongest class that the account's phones can prove; undefined where it has none. */
    reach?(accountId: string): Promise<string | undefined>;
  };
  readonly accounts: AccountDirectory;
  readonly browsers: Browsers;
  readonly views: Views;
  readonly secondFactors?: SecondFactors | undefined;
  /** Shows the recovery codes that come with a first factor, to who signs in by a phone that a client enrolled. */
  readonly firstCodes?: ShowFirstCodes | undefined;
  /** What stands below the QR in its panel: a way to sign in that is no panel of its own. */
  readonly below?: Pick<SignInMethod, 'panel'> | undefined;
  /** The origin of the phone app, where it does not live on the issuer's. */
  readonly phoneOrigin?: string | undefined;
}

/**
 * Creates the room of QR transactions.
 *
 * @returns the service for other rooms; the sign-in method; `routes`, to be called after those of the devices; `sweep`, to
 *   be called now and then; `close`
 */
export function createQr(context: Context, { devices, accounts, browsers, views, secondFactors, firstCodes, below, phoneOrigin, ...options }: QrRooms) {
  const { issuer } = context;
  const service = createQrService(context, { devices, accounts, browsers, secondFactors }, options);
  const waiting = createWaitingPages(service, context);

  // The link travels in the fragment, which no server's log keeps.
  const app = `${phoneOrigin ?? issuer}/phone`;
  const appUrl = (link?: string) => (link === undefined ? app : `${app}#${encodeURIComponent(link)}`);

  /** Whether a step up waits for somebody who has no phone to scan with. */
  async function hasNoPhone({ prompt, accountId }: InteractionDetails): Promise<boolean> {
    if (prompt.name === 'login' || accountId === undefined || !devices.reach) return false;
    return (await devices.reach(accountId)) === undefined;
  }

  const method: SignInMethod = {
    name: 'qr',
    reach: ACR.twoQr,
    async panel(ctx, details) {
      const base = `${issuer}/interaction/${encodeURIComponent(details.uid)}`;
      const beneath = await below?.panel(ctx, details);
      const idle = await hasNoPhone(details);
      const data = { base, mobile: describeBrowser(ctx).mobile, below: beneath, addPhone: idle ? ADD_PHONE : '' };
      return { view: 'qr/panel', data, scripts: ['sign-in', ...(beneath?.scripts ?? [])], idle };
    },
  };

  return {
    service,
    method,
    routes(router: Router, interactions: Interactions): void {
      browserRoutes(router, context, { service, waiting, interactions, browsers, views, locate: options.locate, firstCodes });
      phoneRoutes(router, context, { service, verify: devices.verify, views, appUrl });
    },
    sweep: () => service.sweep(),
    async close(): Promise<void> {
      waiting.close();
      await service.close();
    },
  };
}
