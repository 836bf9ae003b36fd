import type { Context as KoaContext } from 'koa';
import { AppError } from '../errors.ts';
import { setRetryAfter } from '../lib/http/answers.ts';
import type { Views } from '../lib/views/views.ts';
import type { Account, AccountsService } from './types.ts';

/** Where a registration form stands. */
export interface RegistrationForm {
  /** The path that it posts to. */
  readonly action: string;
  /** The path to the sign-in page. */
  readonly back: string;
  /** The client that asked for the sign-in, if one did. */
  readonly client?: string;
  readonly email?: string;
  readonly name?: string;
}

/** What is wrong with a field, as a key of `views/accounts/messages.json`. */
interface Problem {
  readonly field: 'email' | 'name' | 'password' | '';
  readonly key: string;
}

/** Answers with the registration form. */
export function registrationForm(
  ctx: KoaContext,
  views: Views,
  { passwordRule: { minLength } }: AccountsService,
  { action, back, client = '', email = '', name = '' }: RegistrationForm,
  problem: Problem = { field: '', key: '' },
  status = 200,
): void {
  const data = { action, back, client, email, name, minLength, problem };
  views.render(ctx, 'accounts/register', data, { status, title: views.text(ctx, 'accounts.register_title') });
}

/** Makes the account; or shows the form again, with what is wrong and without the password, and returns undefined. */
export async function register(
  ctx: KoaContext,
  views: Views,
  accounts: AccountsService,
  form: RegistrationForm,
  body: { email: string; password: string; name?: string | undefined },
): Promise<Account | undefined> {
  try {
    return await accounts.register({ ...body, locale: views.language(ctx) }, { address: ctx.ip });
  } catch (error) {
    const problem = problemOf(error);
    if (!problem || !(error instanceof AppError)) throw error;
    setRetryAfter(ctx, error);
    registrationForm(ctx, views, accounts, { ...form, email: body.email, name: body.name ?? '' }, problem, error.status);
    return undefined;
  }
}

/** What an error says about the form; undefined where it is not about the form. */
export function problemOf(error: unknown): Problem | undefined {
  if (!(error instanceof AppError)) return undefined;
  const { code, extra } = error;
  if (code === 'weak_password') return { field: 'password', key: `password_${String(extra['reason'])}` };
  if (code === 'email_taken') return { field: 'email', key: 'email_taken' };
  if (code === 'rate_limited') return { field: '', key: 'too_many_tries' };
  if (code === 'invalid_request' && extra['field'] === 'email') return { field: 'email', key: 'email_invalid' };
  if (code === 'invalid_request' && extra['field'] === 'name') return { field: 'name', key: 'name_invalid' };
  return undefined;
}
