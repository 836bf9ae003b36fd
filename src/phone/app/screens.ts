/** What a screen's words and parts are filled with. */
export type Values = Readonly<Record<string, string | boolean | undefined>>;

/** One screen while it is shown. */
export interface Screen {
  /** False once another screen has taken its place. */
  readonly shown: boolean;
  slot(name: string): HTMLElement;
  /** Runs `handler` when the action is chosen; the screen takes no second one until it has ended. */
  on(action: string, handler: () => void | Promise<void>): void;
  /** Fills a list with one item a row. */
  list<Row>(name: string, rows: readonly Row[], item: (row: Row) => { values: Values; actions?: Record<string, () => void | Promise<void>> }): void;
  /** Shows the seconds that are left, and calls `over` when none is. */
  countdown(seconds: number, over: () => void): void;
}

/**
 * Shows a screen: a copy of `<template id="screen-…">`, where `data-if` keeps an element only while its value is truthy
 * and `data-fill` sets an element's text. Values only ever become text, never markup.
 */
export function show(name: string, values: Values, fail: (error: unknown) => void): Screen {
  const root = document.createElement('div');
  root.className = 'phone-screen';
  root.append(copy(`screen-${name}`, values));
  const main = document.querySelector('main') as HTMLElement;
  main.replaceChildren(root);
  const heading = root.querySelector<HTMLElement>('h1');
  heading?.focus({ preventScroll: true });
  scrollTo(0, 0);

  async function run(handler: () => void | Promise<void>) {
    if (root.ariaBusy === 'true') return;
    busy(root, true);
    try {
      await handler();
    } catch (error) {
      fail(error);
    } finally {
      busy(root, false);
    }
  }

  function listen(part: ParentNode, action: string, handler: () => void | Promise<void>) {
    const elements = [...part.querySelectorAll<HTMLElement>(`[data-do="${action}"]`)];
    if (part instanceof HTMLElement && part.dataset['do'] === action) elements.push(part);
    for (const element of elements) {
      element.addEventListener(element instanceof HTMLFormElement ? 'submit' : 'click', (event) => {
        event.preventDefault();
        void run(handler);
      });
    }
  }

  const screen: Screen = {
    get shown() {
      return root.isConnected;
    },
    slot(slot) {
      const element = root.querySelector<HTMLElement>(`[data-slot="${slot}"]`);
      if (!element) throw new Error(`the screen ${name} has no ${slot}`);
      return element;
    },
    on: (action, handler) => listen(root, action, handler),
    list(list, rows, item) {
      root.querySelector(`[data-list="${list}"]`)?.replaceChildren(
        ...rows.map((row) => {
          const { values: own, actions = {} } = item(row);
          const part = copy(`item-${list}`, own).firstElementChild as HTMLElement;
          for (const [action, handler] of Object.entries(actions)) listen(part, action, handler);
          return part;
        }),
      );
    },
    countdown(seconds, over) {
      const end = Date.now() + seconds * 1000;
      const slot = screen.slot('time');
      const text = slot.dataset['words'] ?? '';
      const tick = () => {
        if (!root.isConnected) return clearInterval(timer);
        const left = Math.max(0, Math.round((end - Date.now()) / 1000));
        slot.textContent = fill(text, { time: `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}` });
        if (left > 0) return;
        clearInterval(timer);
        over();
      };
      const timer = setInterval(tick, 1000);
      tick();
    },
  };
  return screen;
}

/** Words for the script to use, in the reader's language. */
export function word(key: string, values: Values = {}): string {
  const words = document.querySelector<HTMLTemplateElement>('#words')?.content.querySelector(`[data-word="${key}"]`);
  if (!words) throw new Error(`no words for ${key}`);
  return fill(words.textContent, values);
}

/** Whether there are words for `key`. */
export function hasWord(key: string): boolean {
  return document.querySelector<HTMLTemplateElement>('#words')?.content.querySelector(`[data-word="${key}"]`) !== null;
}

function copy(id: string, values: Values): DocumentFragment {
  const template = document.getElementById(id) as HTMLTemplateElement;
  const part = template.content.cloneNode(true) as DocumentFragment;
  for (const element of part.querySelectorAll<HTMLElement>('[data-if]')) {
    if (!values[element.dataset['if'] ?? '']) element.remove();
  }
  for (const element of part.querySelectorAll<HTMLElement>('[data-fill]')) {
    const text = element.dataset['fill'] ?? '';
    // A countdown fills itself, again and again.
    if (element.dataset['slot'] === 'time') element.dataset['words'] = text;
    else write(element, fill(text, values));
  }
  for (const element of part.querySelectorAll<HTMLElement>('[data-label]')) {
    element.ariaLabel = fill(element.dataset['label'] ?? '', values);
  }
  return part;
}

/** As text; an address in it breaks before its @ and its dots rather than inside a word. */
function write(element: HTMLElement, text: string) {
  const pieces = text.split(/(\S*@\S*)/).flatMap((piece) => (piece.includes('@') ? piece.split(/(?=[@.][^\s.?!])/) : [piece]));
  element.replaceChildren(...pieces.flatMap((piece) => (/^[@.]/.test(piece) ? [document.createElement('wbr'), piece] : [piece])));
}

function fill(text: string, values: Values): string {
  return text.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
}

function busy(root: HTMLElement, on: boolean) {
  root.ariaBusy = String(on);
  for (const button of root.querySelectorAll('button')) button.disabled = on;
}
