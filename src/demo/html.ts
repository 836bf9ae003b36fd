/** HTML that is safe to send: text put into it has been escaped. */
export interface Html {
  readonly html: string;
}

/** Builds HTML from a template; whatever is put in is escaped, unless it is {@link Html} itself. */
export function html(strings: TemplateStringsArray, ...values: ReadonlyArray<string | Html | readonly Html[]>): Html {
  return { html: strings.map((text, index) => text + render(values[index] ?? '')).join('') };
}

function render(value: string | Html | readonly Html[]): string {
  if (typeof value === 'string') return escape(value);
  return 'html' in value ? value.html : value.map(({ html: text }) => text).join('');
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
