import { PhoneError } from '../../src/phone/sdk/errors.ts';
import { webAuthnVerifier } from '../../src/phone/sdk/web-authn.ts';

/**
 * The passkey button of the sign-in page. Which passkey it is, and whether it is on this device or on a phone that is
 * near, the browser asks the person.
 */
interface Options {
  readonly challenge: string;
  readonly rpId: string;
  readonly timeout: number;
}

function offer(root: HTMLElement) {
  const base = root.dataset['base'] ?? '';
  const csrf = root.querySelector('input')?.value ?? '';
  const button = root.querySelector('button') as HTMLButtonElement;
  const problem = root.querySelector<HTMLElement>('[data-problem]') as HTMLElement;

  async function post<T>(path: string, fields: Record<string, string> = {}): Promise<T> {
    const body = new URLSearchParams({ csrf, ...fields });
    const response = await fetch(`${base}${path}`, { method: 'POST', headers: { accept: 'application/json' }, body });
    const answer = (await response.json()) as T & { error?: string };
    if (!response.ok) throw new Error(answer.error);
    return answer;
  }

  async function signIn() {
    const { challenge, rpId, timeout } = await post<Options>('/passkey/options');
    const assertion = await webAuthnVerifier().get({ challenge, rpId, timeout });
    const { location: next } = await post<{ location: string }>('/passkey', { assertion: JSON.stringify(assertion) });
    location.assign(next);
  }

  function complain(error: unknown) {
    const code = error instanceof PhoneError ? error.code : error instanceof Error ? error.message : '';
    const word = code.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    problem.textContent = problem.dataset[word] ?? problem.dataset['failed'] ?? '';
    problem.hidden = false;
    button.disabled = false;
    button.focus();
  }

  button.addEventListener('click', () => {
    problem.hidden = true;
    button.disabled = true;
    signIn().catch(complain);
  });
  // Back from the relying site, the browser may show this page as it was left.
  window.addEventListener('pageshow', () => (button.disabled = false));
  root.hidden = false;
}

if ('PublicKeyCredential' in window && isSecureContext) {
  for (const root of document.querySelectorAll<HTMLElement>('[data-passkey]')) offer(root);
}
