import { PhoneError } from '../sdk/errors.ts';
import type { PhoneAccount } from '../sdk/key-store.ts';
import { parseCode, parseLink } from '../sdk/links.ts';
import { webAuthnVerifier } from '../sdk/web-authn.ts';
import type { App } from './app.ts';
import { rekey } from './rekeying.ts';
import { CameraError, startScanner } from './scanner.ts';
import { word } from './screens.ts';
import { thisPhone } from './this-phone.ts';

interface InstallPrompt extends Event {
  prompt(): Promise<unknown>;
}

let install: InstallPrompt | undefined;
addEventListener('beforeinstallprompt', (event) => {
  event.preventDefault();
  install = event as InstallPrompt;
});

/** The accounts of this phone, or how it gets one. */
export async function home(app: App, { refresh = true, offline = !navigator.onLine } = {}): Promise<void> {
  const accounts = await app.phone.accounts(app.issuer);
  const [{ ios, installed }, passkey] = await Promise.all([thisPhone(), webAuthnVerifier().available()]);
  const values = { offline, install: install !== undefined, ios: ios && !installed, passkey };
  const screen = app.show(accounts.length > 0 ? 'home' : 'welcome', values);
  screen.on('install', async () => {
    await install?.prompt();
    install = undefined;
  });
  screen.on('rekey', () => rekey(app));
  screen.list('accounts', accounts, (account) => ({
    values: {
      label: account.label,
      name: account.name,
      pending: account.state === 'pending',
      presence: account.state === 'active' && !account.credential,
      verifying: account.state === 'active' && account.credential !== undefined,
    },
    actions: { remove: () => remove(app, account) },
  }));

  if (!refresh || offline || accounts.length === 0) return;
  const before = JSON.stringify(accounts.map(shown));
  const answers = await Promise.allSettled(accounts.map((account) => app.phone.status(account)));
  const after = JSON.stringify((await app.phone.accounts(app.issuer)).map(shown));
  // Browsers believe that they are online as soon as they have any network at all.
  const unreachable = answers.every((answer) => answer.status === 'rejected' && answer.reason instanceof PhoneError && answer.reason.code === 'unreachable');
  if (screen.shown && (after !== before || unreachable)) await home(app, { refresh: false, offline: unreachable });
}

function shown({ deviceId, label, name, state }: PhoneAccount): string[] {
  return [deviceId, label, name, state];
}

function remove(app: App, account: PhoneAccount, unreachable = false): void {
  const { label } = account;
  const screen = app.show('remove', { label, first: !unreachable, unreachable });
  const removed = () => void app.show('removed', { label });
  screen.on('remove', async () => {
    try {
      await app.phone.retire(account);
    } catch {
      return remove(app, account, true);
    }
    removed();
  });
  screen.on('forget', async () => {
    await app.phone.forget(account);
    removed();
  });
}

/** The camera. */
export async function scan(app: App): Promise<void> {
  const screen = app.show('scan');
  const video = document.querySelector('video') as HTMLVideoElement;
  const hint = screen.slot('hint');
  let taken = false;
  const stopped = new AbortController();
  try {
    const scanner = await startScanner(video, app.reader, (text) => {
      if (taken || !screen.shown) return;
      if (!ours(app, text)) return void (hint.textContent = word('scan_foreign'));
      taken = true;
      scanner.stop();
      navigator.vibrate?.(50);
      void app.open(text, 'scanned');
    });
    const stop = () => {
      scanner.stop();
      stopped.abort();
    };
    if (!screen.shown) return stop();
    hint.textContent = word('scan_text');
    // The camera must not run behind another screen, or while nobody looks.
    new MutationObserver((_, observer) => {
      if (screen.shown) return;
      observer.disconnect();
      stop();
    }).observe(document.querySelector('main') as HTMLElement, { childList: true });
    const hidden = () => {
      if (!document.hidden || !screen.shown) return;
      stop();
      document.addEventListener('visibilitychange', () => screen.shown && void scan(app), { once: true });
    };
    document.addEventListener('visibilitychange', hidden, { signal: stopped.signal });
  } catch (error) {
    if (!screen.shown) return;
    const problem = error instanceof CameraError ? error.problem : 'missing';
    app.show('camera', { refused: problem === 'refused', missing: problem === 'missing' }).on('again', () => scan(app));
  }
}

function ours(app: App, text: string): boolean {
  try {
    return parseLink(text).issuer === app.issuer;
  } catch {
    return false;
  }
}

/** A typed code or a pasted link. */
export function enter(app: App, typed = '', problem = ''): void {
  const screen = app.show('enter');
  const input = document.querySelector('#link') as HTMLInputElement;
  input.value = typed;
  input.focus();
  complain(problem);
  screen.on('submit', async () => {
    try {
      if (input.value.includes('/')) parseLink(input.value);
      else parseCode(input.value);
    } catch (error) {
      if (!(error instanceof PhoneError)) throw error;
      return complain(word('enter_invalid'));
    }
    await app.open(input.value, 'typed');
  });

  function complain(text: string) {
    screen.slot('problem').textContent = text;
    input.ariaInvalid = String(text !== '');
  }
}
