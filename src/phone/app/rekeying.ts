import { PhoneError } from '../sdk/errors.ts';
import type { App } from './app.ts';

/** Takes up the phone's device again by its passkey, after the browser has thrown the keys away. */
export async function rekey(app: App): Promise<void> {
  const waiting = app.show('waiting');
  try {
    const { label } = await app.phone.rekey(app.issuer);
    void navigator.storage?.persist?.();
    if (waiting.shown) app.show('enrolled', { label });
  } catch (error) {
    if (!waiting.shown) return;
    const code = error instanceof PhoneError ? error.code : undefined;
    if (code !== 'verification_failed' && code !== 'not_found') return app.problem(error, () => rekey(app));
    app.show('rekey-failed').on('again', () => rekey(app));
  }
}
