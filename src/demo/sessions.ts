import { randomBytes } from 'node:crypto';
import type { Context } from 'koa';

/** What the relying site remembers of one browser. */
export interface Session<T> {
  value: T;
  expiresAt: number;
}

const COOKIE = 'two-cups';
const LIFETIME = 60 * 60 * 1000;
const MOST = 10_000;

/** Sessions in memory, found by a random cookie: enough for a demonstration in one process. */
export function createSessions<T>({ secure }: { secure: boolean }) {
  const sessions = new Map<string, Session<T>>();

  function end(ctx: Context) {
    sessions.delete(ctx.cookies.get(COOKIE) ?? '');
    ctx.cookies.set(COOKIE, null);
  }

  return {
    get(ctx: Context): T | undefined {
      const session = sessions.get(ctx.cookies.get(COOKIE) ?? '');
      return session && session.expiresAt > Date.now() ? session.value : undefined;
    },
    /** Remembers `value` under a new cookie, so that nobody can plant the cookie of a session beforehand. */
    start(ctx: Context, value: T) {
      end(ctx);
      const oldest = sessions.keys().next();
      if (sessions.size >= MOST && !oldest.done) sessions.delete(oldest.value);
      const id = randomBytes(32).toString('base64url');
      sessions.set(id, { value, expiresAt: Date.now() + LIFETIME });
      // The reply to the provider's redirect is a cross-site navigation: Lax lets the cookie travel with it, Strict would not.
      ctx.cookies.set(COOKIE, id, { httpOnly: true, sameSite: 'lax', secure, maxAge: LIFETIME, overwrite: true });
    },
    end,
  };
}
