import { PhoneError } from '../sdk/errors.ts';
import { parseCode, parseLink } from '../sdk/links.ts';
import { createPhone } from '../sdk/phone.ts';
import { webAuthnVerifier } from '../sdk/web-authn.ts';
import { showProblem, type App } from './app.ts';
import { enrol } from './enrolment.ts';
import { enter, home, scan } from './home.ts';
import { indexedDbKeyStore } from './key-store.ts';
import { show } from './screens.ts';
import { resume, signIn } from './sign-in.ts';

const { issuer = '', base = '', reader = '' } = document.body.dataset;

function start(): void {
  const fail = (error: unknown) => app.problem(error);
  const app: App = {
    phone: createPhone({ store: indexedDbKeyStore(), verifier: webAuthnVerifier() }),
    issuer,
    reader,
    show: (name, values = {}) => show(name, values, fail),
    go(place) {
      history.pushState(null, '', location.pathname + (place && `#${place}`));
      void route(app);
    },
    enter: (typed, problem) => enter(app, typed, problem),
    problem: (error, again) => showProblem(app, error, again),
    open: (text, how) => open(app, text, how),
  };

  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest<HTMLAnchorElement>('main a[href^="#"]');
    if (!link) return;
    event.preventDefault();
    app.go(link.hash.slice(1));
  });
  addEventListener('popstate', () => void route(app));
  void route(app);
}

/** Where the fragment leads. Links arrive in it, since servers do not get to see it. */
async function route(app: App): Promise<void> {
  try {
    const place = decoded(location.hash.slice(1));
    if (place === '') return (await resume(app)) ? undefined : await home(app);
    if (place === 'scan') return await scan(app);
    if (place === 'enter') return enter(app);
    // A link is used once: neither a reload nor the back button must come across it again.
    history.replaceState(null, '', location.pathname);
    await app.open(place.startsWith('/') ? issuer + place : place, 'opened');
  } catch (error) {
    app.problem(error, () => route(app));
  }
}

/** Chat programs percent-encode links or leave them; a stray `%` is neither. */
function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}

async function open(app: App, text: string, how: 'opened' | 'scanned' | 'typed'): Promise<void> {
  try {
    const link = text.includes('/') ? parseLink(text) : parseCode(text);
    if (link.kind === 'enrolment') return await enrol(app, link);
    return await signIn(app, link, how === 'opened');
  } catch (error) {
    const passing = error instanceof PhoneError;
    app.problem(error, passing ? () => open(app, text, how) : undefined);
  }
}

if (!isSecureContext) show('unsupported', { insecure: true }, console.error);
else if (!globalThis.crypto?.subtle || !globalThis.indexedDB) show('unsupported', { old: true }, console.error);
else {
  start();
  // Without it the app works all the same, but only with a connection.
  navigator.serviceWorker?.register(`${base}/phone/service-worker.js`, { scope: `${base}/phone`, updateViaCache: 'none' }).catch(console.warn);
}
