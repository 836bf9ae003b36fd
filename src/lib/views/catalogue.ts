import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The languages that pages speak; the first is spoken where none of them is asked for. */
export const LANGUAGES = ['en', 'de', 'fr', 'nl'] as const;
export type Language = (typeof LANGUAGES)[number];

/** The words of all rooms. */
export interface Catalogue {
  /**
   * The words for `key`, with `{name}` replaced by the parameter of that name. Throws on an unknown key or a missing
   * parameter. What it returns is text: a view escapes it.
   */
  text(language: Language, key: string, params?: Readonly<Record<string, string | number>>): string;
}

/** Assembles the catalogue from `<views>/<room>/messages.json`; throws where a language lacks a key or knows one too many. */
export function loadCatalogue(views: string): Catalogue {
  const words: Record<string, Map<string, string>> = {};
  for (const language of LANGUAGES) words[language] = new Map();
  for (const room of readdirSync(views, { withFileTypes: true })) {
    const file = join(views, room.name, 'messages.json');
    if (room.isDirectory() && existsSync(file)) addRoom(words, room.name, file);
  }

  return {
    text(language, key, params = {}) {
      const text = words[language]?.get(key);
      if (text === undefined) throw new Error(`no words for ${key} in ${language}`);
      return text.replace(/\{(\w+)\}/g, (_, name: string) => {
        if (!Object.hasOwn(params, name)) throw new Error(`the words of ${key} need ${name}`);
        return String(params[name]);
      });
    },
  };
}

function addRoom(words: Record<string, Map<string, string>>, room: string, file: string) {
  const messages = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string>>;
  const keys = Object.keys(messages[LANGUAGES[0]] ?? {}).sort();
  for (const language of LANGUAGES) {
    const own = messages[language] ?? {};
    const odd = [...keys.filter((key) => !(key in own)), ...Object.keys(own).filter((key) => !keys.includes(key))];
    if (odd.length > 0) throw new Error(`${file}: ${language} and ${LANGUAGES[0]} differ in ${odd.join(', ')}`);
    for (const [key, text] of Object.entries(own)) words[language]!.set(`${room}.${key}`, text);
  }
}

/**
 * The language for a reader: the first that both `ui_locales` (OpenID Connect Core 1.0 §3.1.2.1) and we speak, else the
 * best of `Accept-Language` (RFC 9110 §12.5.4), else English.
 */
export function chooseLanguage(uiLocales: unknown, acceptLanguage: string): Language {
  const asked = typeof uiLocales === 'string' ? uiLocales.split(' ') : [];
  return spoken(asked) ?? spoken(byWeight(acceptLanguage.slice(0, 256))) ?? LANGUAGES[0];
}

function spoken(tags: readonly string[]): Language | undefined {
  for (const tag of tags) {
    const language = LANGUAGES.find((each) => each === tag.split('-', 1)[0]!.toLowerCase());
    if (language) return language;
  }
  return undefined;
}

function byWeight(header: string): string[] {
  return header
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.split(';').map((each) => each.trim());
      const weight = parameters.find((each) => each.startsWith('q='));
      return { tag, weight: weight ? Number(weight.slice(2)) : 1 };
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ tag }) => tag);
}
