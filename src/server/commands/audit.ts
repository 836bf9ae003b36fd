import { command, type Command } from '../command-line/command.ts';
import { more } from '../command-line/pages.ts';
import { number, since } from '../command-line/read.ts';
import { instant, table } from '../command-line/text.ts';
import { withRegistry } from '../with-tandem.ts';
import { eventJson } from './shapes.ts';

const WIDE = 120;

/** `tandem audit …`: what happened. */
export const audit: readonly Command[] = [
  command({
    name: 'audit list',
    about: 'lists what happened, the newest first',
    options: {
      name: { value: 'NAME', about: 'events of this name, or with * at its end of names that begin so: client.*' },
      account: { value: 'ACCOUNT', about: 'of this account, by e-mail address or id' },
      client: { value: 'ID', about: 'of this client' },
      device: { value: 'ID', about: 'of this phone' },
      since: { value: 'TIME', about: 'from this instant on, such as 2026-01-31T12:00:00Z, or for a time, such as 24h' },
      until: { value: 'TIME', about: 'before this instant' },
      limit: { value: 'NUMBER', about: 'at most so many, up to 500; 50 unless given' },
      cursor: { value: 'CURSOR', about: 'where a page before has ended' },
    },
    run: ({ given, json }) => withRegistry(json, async ({ admin }) => {
      const { events, cursor } = await admin.audit.list(
        {
          name: given.name,
          // What is left of an account that is gone is found by its id.
          accountId: given.account?.includes('@') ? (await admin.accounts.get(given.account)).id : given.account,
          clientId: given.client,
          deviceId: given.device,
          since: since('--since', given.since),
          until: since('--until', given.until),
        },
        { limit: number('--limit', given.limit) ?? 50, cursor: given.cursor },
      );
      const rows = events.map((event) => [instant(event.at), event.name, event.clientId ?? event.accountId ?? event.deviceId ?? '', shorten(JSON.stringify(event.data))]);
      return {
        json: { events: events.map(eventJson), ...(cursor !== undefined && { next_cursor: cursor }) },
        text: table(['at', 'event', 'of', 'what'], rows, 'nothing of that kind has happened') + more(cursor),
      };
    }),
  }),
];

function shorten(text: string): string {
  return text.length > WIDE ? `${text.slice(0, WIDE - 1)}…` : text;
}
