import { isIP } from 'node:net';
import type { EventName, EventPayload, EventSubject } from '../lib/events.ts';
import { networkOf } from '../lib/network.ts';

/** What a notice is about, in values that words and facts are made of. */
export type NoticeData = Readonly<Record<string, string | number | boolean>>;

interface Kind<N extends EventName> {
  /** What is told of the event; undefined where it needs no notice. */
  readonly data: (payload: EventPayload<N>) => NoticeData | undefined;
  /** The words, `{words}_title` and `{words}_text` of `views/notices/messages.json`; the event's name with underscores unless told otherwise. */
  readonly words?: (data: NoticeData) => string;
  /** What to do about it; `advice` unless told otherwise. */
  readonly advice?: (data: NoticeData) => string;
}

/**
 * The events of which their account is told. The network address is shown of what the account does itself, and not of
 * those who try to be it.
 */
const KINDS = {
  'device.confirmed': {
    // Where a client enrolled it, the address is that client's.
    data: ({ name, afterUnprovenLoss, address, clientId }) => ({ phone: name, afterLoss: afterUnprovenLoss, ...(clientId === undefined && network(address)) }),
    words: ({ afterLoss }) => (afterLoss ? 'device_confirmed_after_loss' : 'device_confirmed'),
    advice: ({ afterLoss }) => (afterLoss ? 'advice_stranger' : 'advice'),
  },
  'device.rekeyed': { data: ({ name, address }) => ({ phone: name, ...network(address) }) },
  // Of what recovery and reset end, one notice of theirs tells.
  'device.revoked': {
    data: ({ reason, by, name, address }) => {
      if (reason !== 'lost' || (by !== 'account' && by !== 'administrator')) return undefined;
      return { ...(name !== undefined && { phone: name }), ...(by === 'account' ? network(address) : { byAdministrator: true }) };
    },
    advice: ({ byAdministrator }) => (byAdministrator ? 'advice_reset' : 'advice'),
  },
  'totp.activated': { data: ({ name, address }) => ({ authenticator: name, ...network(address) }) },
  'totp.removed': { data: ({ name, reason, address }) => (reason === 'account' ? { authenticator: name, ...network(address) } : undefined) },
  'totp.guessed': { data: ({ failures }) => ({ failures }), advice: () => 'advice_password_known' },
  'totp.switched_off': { data: () => ({}), advice: () => 'advice_guessed' },
  'recovery.used': {
    data: ({ left, kept, address }) => ({ left, kept, ...network(address) }),
    words: ({ kept }) => (kept ? 'recovery_used_kept' : 'recovery_used'),
  },
  'recovery.codes_made': { data: ({ count, address }) => ({ count, ...network(address) }) },
  'second_factor.reset': { data: ({ authenticators, phones }) => ({ authenticators, phones }), advice: () => 'advice_reset' },
  'account.password_changed': { data: ({ address }) => network(address), advice: () => 'advice_password' },
  'qr.locked': { data: ({ seconds }) => ({ minutes: Math.ceil(seconds / 60) }), advice: () => 'advice_relay' },
} satisfies { [N in EventName]?: Kind<N> };

/** The kinds of notices: each has the name of the event that it tells of. */
export type NoticeKind = keyof typeof KINDS;
export const NOTICE_KINDS = Object.keys(KINDS) as NoticeKind[];

const kinds = new Map<string, Kind<EventName>>(Object.entries(KINDS as unknown as Record<string, Kind<EventName>>));

/** The notice that an event asks for; undefined where it asks for none. */
export function noticeOf(name: string, payload: EventSubject): { kind: NoticeKind; data: NoticeData } | undefined {
  const data = kinds.get(name)?.data(payload as EventPayload<EventName>);
  return data && { kind: name as NoticeKind, data };
}

/** The keys of the words for a notice. */
export function wordsOf(kind: NoticeKind, data: NoticeData): { words: string; advice: string } {
  const { words, advice } = kinds.get(kind) ?? {};
  return { words: words?.(data) ?? kind.replaceAll('.', '_'), advice: advice?.(data) ?? 'advice' };
}

/** Behind a proxy the address is what a header says: only what is one is told. */
function network(address: string | undefined): { network?: string } {
  const found = address === undefined ? '' : networkOf(address);
  return isIP(found.split('/', 1)[0]!) ? { network: found } : {};
}
