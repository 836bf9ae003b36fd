import type { Context as KoaContext } from 'koa';
import { AppError, type ErrorCode } from '../../errors.ts';
import type { Desk } from './desk.ts';

/** Why a form was not accepted, as its page says it. */
export interface Problem {
  readonly status: number;
  /** In the reader's words. */
  readonly text: string;
  /** In the words of the service, which are English. */
  readonly detail: string;
  /** The field that it is about, where that is known. */
  readonly field: string | undefined;
}

const TOLD: readonly ErrorCode[] = ['invalid_request', 'conflict', 'insufficient_scope'];

/** What a form's page says of an error that whoever filled it in can mend. @throws everything else, as it is */
export function problemOf({ say }: Pick<Desk, 'say'>, ctx: KoaContext, error: unknown): Problem {
  if (!(error instanceof AppError) || !TOLD.includes(error.code)) throw error;
  const { field } = error.extra;
  return { status: error.status, text: say(ctx, `problem_${error.code}`), detail: error.message, field: typeof field === 'string' ? field : undefined };
}

/** A field that is not what it should be. */
export function wrongField(field: string, message: string): AppError {
  return new AppError('invalid_request', message, { extra: { field } });
}
