/** Markup that a view has made: the only thing that is placed in a page without being escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/**
 * Escapes text for element content and for attribute values in either kind of quotes; nothing for null and undefined.
 * Attributes without quotes, scripts and styles are no place for values: the content security policy has neither inline.
 */
export function escape(value: unknown): string {
  if (value instanceof Html) return value.text;
  if (value === null || value === undefined || value === false) return '';
  return String(value as string | number).replace(/[&<>"'`]/g, (character) => ENTITIES[character]!);
}

/** A URL that somebody else chose, for an `href`: `#` unless it is http or https, so that no scheme runs a script. */
export function safeLink(url: unknown): string {
  if (typeof url !== 'string' || !URL.canParse(url)) return '#';
  const { protocol, href } = new URL(url);
  return protocol === 'https:' || protocol === 'http:' ? href : '#';
}
