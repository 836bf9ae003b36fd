import { PhoneError } from '../sdk/errors.ts';
import type { PhoneAccount } from '../sdk/key-store.ts';
import type { SignInLink, TypedCode } from '../sdk/links.ts';
import type { Claimed, Decided } from '../sdk/types.ts';
import type { App } from './app.ts';
import { spaced } from './enrolment.ts';
import { drop, keep, kept } from './resume.ts';
import { word, type Screen } from './screens.ts';

/** How long Approve waits after the card has come into view, in milliseconds: nobody has read it sooner. */
const UNREAD = 600;

/** From a link or typed code to a decision. `opened` when the link was opened in this browser and a ticket may exist. */
export async function signIn(app: App, link: SignInLink | TypedCode, opened: boolean): Promise<void> {
  const waiting = app.show('waiting');
  if (link.kind === 'sign-in' && link.issuer !== app.issuer) return app.problem(new PhoneError('unknown_issuer', link.issuer));
  const all = await app.phone.accounts(app.issuer);
  if (all.length === 0) return void app.show('unknown', { host: new URL(app.issuer).host });
  const accounts = await active(app, all);
  if (!waiting.shown) return;
  const [first, ...others] = accounts;
  if (!first) return app.problem(new PhoneError('device_pending', 'no account is active'), () => signIn(app, link, opened));
  if (others.length > 0) return choose(app, link, opened, accounts);
  await claim(app, link, opened, first, []);
}

/** Asks the server about accounts that wait for their code: it may have been typed since. */
async function active(app: App, accounts: PhoneAccount[]): Promise<PhoneAccount[]> {
  const pending = accounts.filter(({ state }) => state === 'pending');
  if (pending.length === 0) return accounts;
  await Promise.allSettled(pending.map((account) => app.phone.status(account)));
  return (await app.phone.accounts(app.issuer)).filter(({ state }) => state === 'active');
}

function choose(app: App, link: SignInLink | TypedCode, opened: boolean, accounts: PhoneAccount[], wrong?: PhoneAccount): void {
  const screen = app.show('choose', { wrong: wrong?.label });
  screen.list('choices', accounts, (account) => ({
    values: { label: account.label },
    actions: {
      choose: () =>
        claim(
          app,
          link,
          opened,
          account,
          accounts.filter((other) => other !== account),
        ),
    },
  }));
}

async function claim(app: App, link: SignInLink | TypedCode, opened: boolean, account: PhoneAccount, others: PhoneAccount[]): Promise<void> {
  const waiting = app.show('waiting');
  try {
    const claimed = await app.phone.claim(account, link, { ticket: opened });
    if (waiting.shown) ask(app, claimed);
  } catch (error) {
    if (!waiting.shown) return;
    const code = error instanceof PhoneError ? error.code : undefined;
    if (code === 'wrong_account' && others.length > 0) return choose(app, link, opened, others, account);
    if (link.kind === 'code' && (code === 'not_found' || code === 'invalid_code')) return app.enter(link.userCode, word('enter_unknown'));
    if (code === 'device_revoked' || code === 'invalid_signature') await app.phone.forget(account);
    app.problem(code === 'invalid_signature' ? new PhoneError('device_revoked', 'the provider no longer knows this key') : error, () =>
      claim(app, link, opened, account, others),
    );
  }
}

/** Goes on with what this tab was about before a reload; false where that was nothing. */
export async function resume(app: App): Promise<boolean> {
  const found = await kept(app);
  if (!found) return false;
  if (found.decided) tell(app, found.claimed, found.decided);
  else ask(app, found.claimed);
  return true;
}

/** The card: who asks, for what, from where. */
function ask(app: App, claimed: Claimed): void {
  keep(claimed);
  const { request, account } = claimed;
  const { client, browser, scopes } = request;
  const verifying = request.level === '2';
  const able = !verifying || account.credential !== undefined;
  const screen = app.show('request', {
    title: word(`request_${request.purpose}`, { client: client.name }),
    client: client.name,
    logo: client.logo_uri?.startsWith('https://'),
    site: client.redirect_host,
    account: request.account.label,
    browser: browserWords(claimed),
    scopes: scopes.length > 0,
    known: browser.known && able,
    unknown: !browser.known && able,
    verifying: verifying && able,
    unable: !able,
    able,
    confirm: request.confirm && able,
  });
  if (client.logo_uri?.startsWith('https://')) showLogo(screen.slot('logo') as HTMLImageElement, client.logo_uri);
  screen.list('scopes', scopes, ({ description }) => ({ values: { description } }));
  screen.countdown(claimed.expiresIn, () => {
    drop();
    app.problem(new PhoneError('expired', 'nothing was decided in time'));
  });

  async function decide(decision: 'approve' | 'deny') {
    try {
      const decided = await app.phone.decide(claimed, decision);
      drop();
      if (screen.shown) tell(app, claimed, decided);
    } catch (error) {
      if (!screen.shown) return;
      const code = error instanceof PhoneError ? error.code : undefined;
      // The transaction still waits: what failed here can be tried again from the card.
      const words = code === 'verification_failed' ? 'verify_failed' : code === 'unreachable' ? 'error_unreachable' : undefined;
      if (!words) {
        drop();
        if (code === 'device_revoked') await app.phone.forget(account);
        return app.problem(error);
      }
      const problem = screen.slot('problem');
      problem.textContent = word(words);
      problem.hidden = false;
      problem.scrollIntoView({ block: 'nearest' });
    }
  }
  holdUntilRead(screen);
  screen.on('approve', () => decide('approve'));
  screen.on('deny', () => decide('deny'));
}

function tell(app: App, claimed: Claimed, decided: Decided): void {
  const { state, confirmCode, expiresIn } = decided;
  if (state === 'denied') return void app.show('denied');
  if (confirmCode === undefined) return void app.show('approved');
  keep(claimed, decided);
  const screen = app.show('code', { browser: browserWords(claimed), client: claimed.request.client.name });
  spaced(screen.slot('code'), confirmCode);
  screen.countdown(expiresIn ?? 120, () => {
    drop();
    app.problem(new PhoneError('expired', 'the code was not typed in time'));
  });
  screen.on('done', () => {
    drop();
    app.show('approved');
  });
}

function browserWords({ request: { browser } }: Claimed): string {
  const { family, os, place } = browser;
  return place === undefined ? word('request_browser_value', { family, os }) : word('request_browser_place', { family, os, place });
}

/**
 * A link opened from elsewhere leads straight to the card, where the second half of a double click on the page before would approve, and so
 * would a click meant for what covered it. To be called before the action gets its handler, which such a click then does not reach.
 */
function holdUntilRead(screen: Screen): void {
  const button = document.querySelector<HTMLElement>('[data-do="approve"]');
  if (!button) return;
  let timer: ReturnType<typeof setTimeout>;
  function hold() {
    if (!screen.shown) return document.removeEventListener('visibilitychange', hold);
    clearTimeout(timer);
    button!.ariaDisabled = 'true';
    timer = setTimeout(() => (button!.ariaDisabled = null), UNREAD);
  }
  button.addEventListener('click', (event) => {
    if (button.ariaDisabled === 'true') event.stopImmediatePropagation();
  });
  document.addEventListener('visibilitychange', hold);
  hold();
}

/** A logo that does not load leaves no hole. */
function showLogo(image: HTMLImageElement, url: string): void {
  image.addEventListener('error', () => image.remove());
  image.src = url;
}
