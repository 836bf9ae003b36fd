import { PhoneError } from '../sdk/errors.ts';
import type { EnrolmentLink } from '../sdk/links.ts';
import type { Enrolled } from '../sdk/types.ts';
import { webAuthnVerifier } from '../sdk/web-authn.ts';
import type { App } from './app.ts';
import { thisPhone } from './this-phone.ts';

const POLL = 2000;

/** From an enrolment link to an active device. */
export async function enrol(app: App, link: EnrolmentLink): Promise<void> {
  const waiting = app.show('waiting');
  if (link.issuer !== app.issuer) return app.problem(new PhoneError('unknown_issuer', link.issuer));
  const [offer, here, verifying] = await Promise.all([app.phone.offer(link), thisPhone(), webAuthnVerifier().available()]);
  if (!waiting.shown) return;

  const canVerify = verifying && offer.webauthn !== undefined;
  const screen = app.show('enrol', {
    label: offer.account.label,
    verifying: canVerify,
    presence: !canVerify,
    ios: here.ios && !here.installed,
  });
  const name = document.querySelector('#name') as HTMLInputElement;
  name.value = here.name;
  screen.on('submit', async () => {
    const enrolled = await app.phone.enrol(offer, { name: name.value.trim() || here.name, platform: here.platform });
    // Keys that the browser throws away when it needs room lock people out. It may ask the person, or say no.
    void navigator.storage?.persist?.();
    await showCode(app, enrolled, canVerify && !enrolled.account.credential);
  });
}

async function showCode(app: App, { account, confirmCode, expiresIn }: Enrolled, declined: boolean): Promise<void> {
  const screen = app.show('enrol-code', { declined });
  spaced(screen.slot('code'), confirmCode);
  const end = Date.now() + expiresIn * 1000;

  while (screen.shown) {
    await new Promise((resolve) => setTimeout(resolve, POLL));
    if (!screen.shown) return;
    try {
      const { state } = await app.phone.status(account);
      if (!screen.shown) return;
      if (state === 'active') return void app.show('enrolled', { label: account.label });
      if (state === 'revoked') return failed(app);
    } catch (error) {
      // Phones lose their connection all the time; the next round may have one.
      const passing = error instanceof PhoneError && error.code !== 'not_found' && error.code !== 'invalid_signature';
      if (!passing) {
        await app.phone.forget(account);
        return failed(app);
      }
    }
    if (Date.now() > end + POLL) {
      await app.phone.forget(account);
      return failed(app);
    }
  }
}

function failed(app: App): void {
  app.show('enrol-failed');
}

/** Six digits as two groups of three; read out as one digit after the other. */
export function spaced(element: HTMLElement, code: string): void {
  const groups = [code.slice(0, 3), code.slice(3)].map((digits) => {
    const group = document.createElement('span');
    group.textContent = digits;
    group.ariaHidden = 'true';
    return group;
  });
  const spoken = document.createElement('span');
  spoken.className = 'visually-hidden';
  spoken.textContent = [...code].join(' ');
  element.replaceChildren(...groups, spoken);
  element.dataset['code'] = code;
}
