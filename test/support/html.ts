/** A form of a page, with the values that a browser would send if nobody typed anything. */
export interface Form {
  readonly id: string | undefined;
  readonly name: string | undefined;
  /** Absolute. */
  readonly action: string;
  readonly method: 'GET' | 'POST';
  readonly fields: ReadonlyArray<readonly [name: string, value: string]>;
  readonly buttons: ReadonlyArray<{ readonly name: string | undefined; readonly value: string; readonly text: string; readonly formaction: string | undefined }>;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

/** Text with its character references resolved. */
export function decodeHtml(text: string): string {
  return text.replace(/&(#x[\da-f]+|#\d+|[a-z]+);/gi, (whole, name: string) => {
    if (name.startsWith('#')) {
      const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
      return String.fromCodePoint(code);
    }
    return ENTITIES[name.toLowerCase()] ?? whole;
  });
}

/** The words of a piece of HTML, as one line. */
export function textOf(html: string): string {
  const spoken = html.replace(/<(script|style|template)\b[\s\S]*?<\/\1>/gi, ' ').replace(/<!--[\s\S]*?-->/g, ' ');
  return decodeHtml(spoken.replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim();
}

function attributesOf(tag: string): Map<string, string> {
  const inside = tag.replace(/^<\/?[\w-]+/, '').replace(/\/?>$/, '');
  return new Map(
    [...inside.matchAll(/([^\s=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)].map((match) => [
      match[1]!.toLowerCase(),
      decodeHtml(match[2] ?? match[3] ?? match[4] ?? ''),
    ]),
  );
}

/** Attributes of every element `name` in the page. */
export function elements(html: string, name: string): Array<Map<string, string>> {
  return [...html.matchAll(new RegExp(`<${name}\\b(?:"[^"]*"|'[^']*'|[^>"'])*>`, 'gi'))].map(([tag]) => attributesOf(tag));
}

const TAG = (name: string) => `<${name}\\b((?:"[^"]*"|'[^']*'|[^>"'])*)>`;

function formOf(attributes: Map<string, string>, inside: string, base: string): Form {
  const fields: Array<readonly [string, string]> = [];
  for (const input of elements(inside, 'input')) {
    const name = input.get('name');
    const type = input.get('type')?.toLowerCase() ?? 'text';
    if (!name || input.has('disabled') || type === 'submit' || type === 'button' || type === 'image') continue;
    if ((type === 'checkbox' || type === 'radio') && !input.has('checked')) continue;
    fields.push([name, input.get('value') ?? (type === 'checkbox' || type === 'radio' ? 'on' : '')]);
  }
  for (const [, tag = '', content = ''] of inside.matchAll(new RegExp(`${TAG('textarea')}([\\s\\S]*?)</textarea>`, 'gi'))) {
    const name = attributesOf(`<textarea${tag}>`).get('name');
    if (name) fields.push([name, decodeHtml(content)]);
  }
  for (const [, tag = '', content = ''] of inside.matchAll(new RegExp(`${TAG('select')}([\\s\\S]*?)</select>`, 'gi'))) {
    const name = attributesOf(`<select${tag}>`).get('name');
    const options = elements(content, 'option');
    const chosen = options.find((option) => option.has('selected')) ?? options[0];
    if (name && chosen) fields.push([name, chosen.get('value') ?? '']);
  }
  const buttons = [...inside.matchAll(new RegExp(`${TAG('button')}([\\s\\S]*?)</button>`, 'gi'))].flatMap(([, tag = '', content = '']) => {
    const button = attributesOf(`<button${tag}>`);
    if ((button.get('type') ?? 'submit') !== 'submit' || button.has('disabled')) return [];
    return [{ name: button.get('name'), value: button.get('value') ?? '', text: textOf(content), formaction: button.get('formaction') }];
  });
  return {
    id: attributes.get('id'),
    name: attributes.get('name'),
    action: new URL(attributes.get('action') || base, base).href,
    method: attributes.get('method')?.toUpperCase() === 'POST' ? 'POST' : 'GET',
    fields,
    buttons,
  };
}

/** The forms of a server-rendered page, in order. */
export function formsOf(html: string, base: string): Form[] {
  return [...html.matchAll(new RegExp(`${TAG('form')}([\\s\\S]*?)</form>`, 'gi'))].map(([, tag = '', inside = '']) =>
    formOf(attributesOf(`<form${tag}>`), inside, base),
  );
}
