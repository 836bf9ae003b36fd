import type { KeyDescription } from '../../index.ts';
import { command, type Command } from '../command-line/command.ts';
import { instant, iso } from '../command-line/text.ts';
import { withRegistry } from '../with-tandem.ts';
import { keyJson } from './shapes.ts';

/** `tandem keys …`: the provider's signing and cookie keys. */
export const keys: readonly Command[] = [
  command({
    name: 'keys list',
    about: 'lists the signing and cookie keys',
    run: ({ json }) => withRegistry(json, async ({ admin }) => {
      const found = await admin.keys.list();
      return { json: { keys: found.map(keyJson) }, text: found.map(lineOf).join('\n') };
    }),
  }),
  command({
    name: 'keys rotate',
    about: 'replaces them by the next ones, once those have been published for an hour; running servers follow within a minute',
    options: { now: { about: 'does not wait' } },
    run: ({ given: { now }, json }) => withRegistry(json, async ({ admin, actor }) => {
      const { activatesAt } = await admin.keys.rotate({ now, actor });
      return {
        json: { activates_at: iso(activatesAt) },
        text: activatesAt <= Date.now()
          ? 'the next keys sign from now on; running servers follow within a minute'
          : `the next keys sign from ${instant(activatesAt)}, when they have been published for long enough; --now does not wait`,
      };
    }),
  }),
];

function lineOf({ purpose, state, kid, createdAt, activatesAt, endsAt }: KeyDescription): string {
  const until = endsAt !== undefined ? `published until ${instant(endsAt)}` : activatesAt !== undefined ? `signs from ${instant(activatesAt)}` : '';
  return `${purpose.padEnd(8)}${state.padEnd(9)}${kid.padEnd(45)}made ${instant(createdAt)}  ${until}`.trimEnd();
}
