import type { Spoken, Views } from '../lib/views/views.ts';
import type { DirectoryEntry } from '../oidc/accounts.ts';
import { wordsOf, type NoticeData, type NoticeKind } from './kinds.ts';
import type { QueuedNotice } from './store.ts';

/** A notice to an account about its security, as a hook gets it. */
export interface Notice {
  /** The same each time that the notice is sent again; unguessable. */
  readonly id: string;
  /** The name of the event that it tells of. */
  readonly kind: NoticeKind;
  readonly accountId: string;
  /** Undefined where the host's accounts have none. */
  readonly email: string | undefined;
  /** The language that it is written in. */
  readonly locale: 'en' | 'de' | 'fr' | 'nl';
  readonly subject: string;
  readonly text: string;
  /** A whole page without images, scripts or styles; all values are escaped. */
  readonly html: string;
  /** What the text was made of; `more` is how often the same happened again, where that is told in one notice. */
  readonly data: NoticeData;
  /** When it happened, in epoch milliseconds. */
  readonly at: number;
}

/** Members of the data that are told one a line, in this order. */
const FACTS = ['phone', 'authenticator', 'phones', 'authenticators', 'left', 'network'];

/** Creates what puts notices into words. `home` is the path of the account's pages under the issuer. */
export function createWriting({ issuer, views, home }: { issuer: string; views: Views; home: string }) {
  const { site } = views;

  return function write({ id, kind, accountId, data, at, more }: QueuedNotice, { email, locale, label }: DirectoryEntry): Notice {
    const spoken = views.inLanguage(locale);
    const { words, advice } = wordsOf(kind, data);
    const text = (key: string, params: NoticeData = {}) => spoken.text(`notices.${key}`, { ...plain(data), site, ...plain(params) });
    const parts = {
      title: text(`${words}_title`),
      happened: text(`${words}_text`),
      facts: [
        { label: text('when'), value: instant(at, spoken, locale) },
        ...FACTS.filter((name) => data[name] !== undefined).map((name) => ({ label: text(name), value: oneLine(String(data[name])) })),
        ...(more > 0 ? [{ label: text('more'), value: text('times', { count: more }) }] : []),
      ],
      advice: text(advice),
      home,
      footer: text('footer', { label }),
    };
    const facts = parts.facts.map((fact) => text('fact', fact)).join('\n');
    return {
      id,
      kind,
      accountId,
      email,
      locale: spoken.language,
      subject: oneLine(text('subject', { title: parts.title })),
      text: `${[parts.title, parts.happened, facts, parts.advice, issuer + home].join('\n\n')}\n\n-- \n${parts.footer}\n`,
      html: spoken.partial('notices/mail', parts).text,
      data: more > 0 ? { ...data, more } : data,
      at,
    };
  };
}

/** What words can have in them. */
function plain(data: NoticeData): Record<string, string | number> {
  return Object.fromEntries(Object.entries(data).filter((each): each is [string, string | number] => typeof each[1] !== 'boolean'));
}

/** What somebody chose stays on its line, and makes no other. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}

/** In words of the reader's language; nobody knows the reader's time zone. */
function instant(at: number, { language }: Spoken, locale: string | undefined): string {
  // Of a region that we do not know the language, its own way to write dates would be in another one than the words.
  const tag = locale?.toLowerCase().startsWith(`${language}-`) ? locale : language;
  return new Intl.DateTimeFormat(tag, { dateStyle: 'full', timeStyle: 'long', hourCycle: 'h23', timeZone: 'UTC' }).format(at);
}
