import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { SMTPTransportOptions } from 'nodemailer/lib/smtp-transport';
import type { Context } from '../context.ts';
import { Refused, type Carrier } from './carrier.ts';
import type { Notice } from './writing.ts';

export interface Mailbox {
  readonly name: string;
  readonly address: string;
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/;

/** A server that does not answer must not keep those waiting who shut down, or the notices behind; in milliseconds. */
const PATIENCE: SMTPTransportOptions = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000, dnsTimeout: 10_000 };

/**
 * Creates what sends notices over SMTP (RFC 5321). TLS is verified; without `smtps` it is demanded by STARTTLS (RFC 3207) of every host but this
 * one, unless the options say otherwise: what is read on the way would tell a thief what has been noticed.
 */
export function createSmtp({ clock }: Pick<Context, 'clock'>, { smtp, from }: { smtp: string | SMTPTransportOptions; from: Mailbox }): Carrier {
  const given = typeof smtp === 'string' ? { url: smtp } : smtp;
  const host = given.url !== undefined && URL.canParse(given.url) ? new URL(given.url).hostname : given.host;
  const options: SMTPTransportOptions = {
    ...PATIENCE,
    // What the URL says comes before what stands here.
    ...(host !== undefined && !LOOPBACK.test(host) && !given.ignoreTLS && { requireTLS: true }),
    ...given,
    disableFileAccess: true,
    disableUrlAccess: true,
  };

  return {
    byMail: true,
    async carry(notice, signal) {
      // Loaded with the first notice: most processes never send one.
      const { createTransport } = await import('nodemailer');
      try {
        await createTransport(options).sendMail({ ...letter(notice, from, clock()), signal });
      } catch (error) {
        throw isFinal(error) ? new Refused('the mail server refuses this address', { cause: error }) : error;
      }
    },
  };
}

/** Creates what writes notices as `.eml` files (RFC 5322) into a folder, for those who have no mail server yet. */
export function createMailFolder({ clock, log }: Pick<Context, 'clock' | 'log'>, { folder, from }: { folder: string; from: Mailbox }): Carrier {
  const path = resolve(folder);
  let named = false;

  return {
    byMail: true,
    async carry(notice) {
      const { createTransport } = await import('nodemailer');
      const composer = createTransport({ streamTransport: true, buffer: true, newline: 'windows', disableFileAccess: true, disableUrlAccess: true });
      const { message } = await composer.sendMail(letter(notice, from, clock()));
      await mkdir(path, { recursive: true, mode: 0o700 });
      // By time, then by an id that nobody can guess. Sent again, the same notice is the same file.
      const name = `${new Date(notice.at).toISOString().replace(/[-:.]/g, '')}-${notice.id}`;
      const part = join(path, `.${name}.part`);
      await writeFile(part, message as Buffer, { mode: 0o600 });
      await rename(part, join(path, `${name}.eml`));
      if (!named) log.warn({ folder: path }, 'notices to accounts are written to this folder: nobody is sent mail until there is a mail server (SMTP)');
      named = true;
    },
  };
}

function letter({ id, email = '', locale, subject, text, html }: Notice, from: Mailbox, now: number) {
  const to = { name: '', address: email };
  const host = from.address.slice(from.address.lastIndexOf('@') + 1);
  return {
    from,
    to,
    envelope: { from: from.address, to: email },
    subject,
    text,
    html,
    // One id however often it is sent, so that a mailbox may show it once.
    messageId: `<${id}@${host}>`,
    date: new Date(now),
    // RFC 3834 §5: no out-of-office notes in return.
    headers: { 'Auto-Submitted': 'auto-generated', 'Content-Language': locale },
  };
}

/** RFC 5321 §4.2.1: 5yz will not change by trying again. Of the recipient alone; what is wrong with us, an operator can mend. */
function isFinal(error: unknown): boolean {
  const { code, command, responseCode } = error as { code?: string; command?: string; responseCode?: number };
  return code === 'EENVELOPE' && command === 'RCPT TO' && responseCode !== undefined && responseCode >= 500;
}
