import { userInfo } from 'node:os';
import { UsageError, withTandem } from './with-tandem.ts';

const CALL = 'tandem accounts reset-second-factor';

/** Takes the second factors of an account away, for a person who has lost them: `tandem accounts reset-second-factor`. */
export async function resetSecondFactor(
  [email, ...others]: readonly string[],
  { keepPhones, yes, json }: { readonly keepPhones: boolean; readonly yes: boolean; readonly json: boolean },
): Promise<void> {
  if (email === undefined || others.length > 0) throw new UsageError(`name one account by its e-mail address: ${CALL} ada@example.com`);
  await withTandem(async ({ t, migrate, issuer }) => {
    await migrate();
    const account = await t.accounts?.findByEmail(email);
    if (!account) throw new UsageError(`there is no account with the address ${JSON.stringify(email)}`);
    if (!yes) {
      const phones = keepPhones ? '' : ', locks its phones out as lost';
      throw new UsageError(`this removes the authenticators and recovery codes of ${account.email}${phones} and signs it out everywhere; to do so: ${CALL} ${account.email}${keepPhones ? ' --keep-phones' : ''} --yes`);
    }
    // With a provider of its own this process ends the sessions itself, rather than leave them to a server's next sweep.
    const { Provider } = await import('oidc-provider');
    const provider = new Provider(issuer, t.configure());
    provider.use(t.attach(provider));
    const { authenticators, phones, codes } = await t.secondFactor.reset({ accountId: account.id, keepPhones, by: `command line: ${operator()}` });
    const done = authenticators + phones + codes > 0;
    if (json) console.log(JSON.stringify({ email: account.email, reset: done, authenticators, phones, recovery_codes: codes }));
    else if (done) console.log(`${account.email}: authenticators removed: ${authenticators}, recovery codes removed: ${codes}, phones locked out: ${phones}; signed out everywhere, and the password stays`);
    else console.log(`${account.email} has no second factor; nothing has been changed`);
  });
}

/** Who runs this program, as the system knows them; in a container there may be a number alone. */
function operator(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
