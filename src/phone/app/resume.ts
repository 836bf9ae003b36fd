import type { Claimed, Decided } from '../sdk/types.ts';
import { base64url } from '../sdk/platform.ts';
import { readRequest } from '../sdk/request.ts';
import type { App } from './app.ts';

const KEY = 'tandem-request';

interface Kept {
  readonly deviceId: string;
  readonly tx: string;
  readonly challenge: string;
  readonly request: string;
  readonly decided: Decided | undefined;
  /** Milliseconds since the epoch. */
  readonly end: number;
}

/** Keeps what this tab is about, so that a reload, or a phone that threw the page out, does not end it. */
export function keep({ account, tx, challenge, bytes, expiresIn }: Claimed, decided?: Decided): void {
  const end = Date.now() + (decided?.expiresIn ?? expiresIn) * 1000;
  const kept: Kept = { deviceId: account.deviceId, tx, challenge, request: base64url(bytes), decided, end };
  sessionStorage.setItem(KEY, JSON.stringify(kept));
}

export function drop(): void {
  sessionStorage.removeItem(KEY);
}

/** What this tab was about before it was reloaded, while there is still time. */
export async function kept(app: App): Promise<{ claimed: Claimed; decided: Decided | undefined } | undefined> {
  const { deviceId, tx, challenge, request: encoded, decided, end } = JSON.parse(sessionStorage.getItem(KEY) ?? '{}') as Partial<Kept>;
  drop();
  const account = (await app.phone.accounts(app.issuer)).find((each) => each.deviceId === deviceId);
  const expiresIn = Math.floor(((end ?? 0) - Date.now()) / 1000);
  if (!account || tx === undefined || challenge === undefined || encoded === undefined || expiresIn <= 0) return undefined;
  const { bytes, request } = readRequest(encoded, { issuer: app.issuer, tx });
  return { claimed: { account, tx, challenge, request, bytes, expiresIn }, decided: decided && { ...decided, expiresIn } };
}
