import type { ActorRecord } from './actor.ts';
import type { Log } from './log.ts';
import type { Transaction } from './database/database.ts';

/**
 * The events and what each carries. A room adds its own in its `events.ts`:
 *
 * @example
 * declare module '../lib/events.ts' {
 *   interface EventMap { 'device.revoked': { deviceId: string; reason: 'lost' | 'retired' } }
 * }
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- rooms merge their events into it
export interface EventMap {}

/** Who and what an event is about; each member is there when it is known. */
export interface EventSubject {
  readonly accountId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly transactionId?: string | undefined;
  /** The network address the change came from. */
  readonly address?: string | undefined;
  /** Who did it, where it was done in an administrator's way. */
  readonly actor?: ActorRecord | undefined;
}

export type EventName = keyof EventMap & string;
export type EventPayload<N extends EventName> = EventMap[N] & EventSubject;
/** One event as a subscriber sees it; `at` is in milliseconds since the epoch. */
export type TandemEvent = { [N in EventName]: { name: N; at: number; payload: EventPayload<N> } }[EventName];

/** Handlers of a host, called after commit; what they throw is logged and changes nothing. */
export type EventHandlers = { [N in EventName]?: (payload: EventPayload<N>) => unknown };

export interface Events {
  /** Tells every subscriber inside `tx`, and the host's handlers once it has committed. */
  emit<N extends EventName>(tx: Transaction, name: N, payload: EventPayload<N>): Promise<void>;
  /** Subscribes a room: `handler` writes in the same transaction, and a throw rolls it back. */
  subscribe(handler: (tx: Transaction, event: TandemEvent) => Promise<void>): void;
}

/** Creates the event bus of one Tandem instance. */
export function createEvents({ clock, log, on = {} }: { clock: () => number; log: Log; on?: EventHandlers }): Events {
  const subscribers: Array<(tx: Transaction, event: TandemEvent) => Promise<void>> = [];

  async function tellHost(event: TandemEvent) {
    const handler = on[event.name as keyof EventHandlers] as ((payload: unknown) => unknown) | undefined;
    try {
      await handler?.(event.payload);
    } catch (error) {
      log.error({ err: error, event: event.name }, 'an event handler failed');
    }
  }

  return {
    async emit(tx, name, payload) {
      const event = { name, at: clock(), payload } as unknown as TandemEvent;
      for (const subscriber of subscribers) await subscriber(tx, event);
      tx.afterCommit(() => void tellHost(event));
    },
    subscribe(handler) {
      subscribers.push(handler);
    },
  };
}
