import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { CALLBACK, type TestTandem } from '../support/tandem.ts';
import { createVirtualPhone, type VirtualPhone } from '../support/virtual-phone.ts';

/** An enrolment page that waits for a phone. */
export interface EnrolmentPage {
  readonly link: string;
  /** Types the confirm code. */
  confirm(code: string): Promise<Page>;
}

/** A sign-in page that waits for a phone. */
export interface WaitingPage {
  /** The text of the QR that is shown now. */
  frame(): Promise<string>;
  readonly userCode: string;
  state(): Promise<string>;
  confirm(code: string): Promise<Page>;
  cancel(): Promise<Page>;
  /** Ends at the client: the query of its redirect URI. */
  redeem(): Promise<URLSearchParams>;
}

/** The computer beside the phone: a browser without scripts that does what its pages' scripts would. */
export interface Desktop {
  readonly browser: HttpBrowser;
  signIn(person: { email: string; password: string }): Promise<void>;
  addPhone(): Promise<EnrolmentPage>;
  wait(parameters?: Record<string, string>): Promise<WaitingPage>;
}

export function createDesktop(tandem: TestTandem): Desktop {
  const browser = createHttpBrowser({ now: tandem.clock });

  function authorizationUrl(parameters: Record<string, string> = {}): string {
    const challenge = createHash('sha256').update(randomBytes(32).toString('base64url')).digest('base64url');
    const all = { client_id: 'rp', response_type: 'code', redirect_uri: CALLBACK, scope: 'openid email', code_challenge: challenge, code_challenge_method: 'S256', ...parameters };
    return tandem.url(`/auth?${new URLSearchParams(all).toString()}`);
  }

  return {
    browser,
    async signIn({ email, password }) {
      const page = await browser.get(authorizationUrl({ client_id: 'house', scope: 'openid' }));
      const back = await browser.submit(page, '/password', { email, password });
      assert(back.url.startsWith(CALLBACK), `not signed in: ${back.url} ${back.text.slice(0, 200)}`);
    },
    async addPhone() {
      const add = await browser.get(tandem.url('/account/devices/add'));
      const page = await browser.submit(add, '/account/devices/add');
      const link = /data-link="([^"]+)"/.exec(page.body)?.[1];
      assert(link, `no enrolment link: ${page.status} ${page.text.slice(0, 300)}`);
      return { link, confirm: (code) => browser.submit(page, '/confirm', { code }) };
    },
    async wait(parameters) {
      const page = await browser.get(authorizationUrl(parameters));
      const base = /data-base="([^"]+)"/.exec(page.body)?.[1];
      const csrf = page.forms.flatMap(({ fields }) => fields).find(([name]) => name === 'csrf')?.[1];
      assert(base && csrf, `no QR panel: ${page.status} ${page.text.slice(0, 300)}`);
      const post = (path: string, fields: Record<string, string> = {}) =>
        browser.post(`${base}${path}`, { csrf, ...fields }, { headers: { accept: 'application/json' } });
      const first = (await post('/qr/start')).json<{ user_code: string }>();
      return {
        userCode: first.user_code,
        frame: async () => (await post('/qr/start')).json<{ frame: string }>().frame,
        state: async () => (await browser.send('GET', `${base}/qr/status`)).json<{ state: string }>().state,
        confirm: (code) => post('/qr/confirm', { code }),
        cancel: () => post('/qr/cancel'),
        async redeem() {
          const back = await browser.post(`${base}/redeem`, { csrf });
          assert(back.url.startsWith(CALLBACK), `not back at the client: ${back.url} ${back.text.slice(0, 200)}`);
          return new URL(back.url).searchParams;
        },
      };
    },
  };
}

/** A phone of whoever is signed in at the desktop. It counts in full, as after its first day: until then a first phone proves level 1 alone. */
export async function enrolPhone(tandem: TestTandem, desktop: Desktop, { userVerifying }: { userVerifying: boolean }): Promise<VirtualPhone> {
  const phone = createVirtualPhone({ issuer: tandem.issuer, clock: tandem.clock, userVerifying });
  const { link, confirm } = await desktop.addPhone();
  await confirm((await phone.enrol(link)).confirmCode);
  await tandem.knex('tandem_devices').update({ capped_until: null });
  return phone;
}

/** Approves what a page shows, up to its confirm code; the page is left to redeem it. */
export async function approveAt(waiting: WaitingPage, phone: VirtualPhone): Promise<WaitingPage> {
  const decided = await phone.approve(await waiting.frame());
  if (decided.confirmCode !== undefined) await waiting.confirm(decided.confirmCode);
  return waiting;
}
