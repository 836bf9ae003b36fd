import type { Knex } from 'knex';
import type { Connection, Subscription } from './driver.ts';

interface ListeningConnection {
  query(config: { text: string; values?: string[] }): Promise<unknown>;
  on(event: 'notification', handler: (message: { channel: string; payload?: string }) => void): void;
  on(event: 'error' | 'end', handler: () => void): void;
  end(): Promise<void>;
}
interface Subscriber {
  readonly handler: (payload: string) => void;
  readonly missed: () => void;
}

/** A NOTIFY carries less than 8,000 bytes; the topic takes some of them. */
const MAX_PAYLOAD_BYTES = 7_900;
/** One channel for everything keeps the names of topics free of PostgreSQL's rules for identifiers. */
const CHANNEL = 'tandem';
/** How often a silent connection is asked whether it still lives, and how long it may take to answer, in milliseconds. */
const HEARTBEAT = 30_000;

/**
 * LISTEN and NOTIFY on a connection beside the pool, made with the first subscriber and made again when it breaks.
 * What was published in between is lost, so each subscriber is told that it may have missed something.
 */
export function createListener(knex: Knex) {
  const topics = new Map<string, Set<Subscriber>>();
  let connection: ListeningConnection | undefined;
  let connecting: Promise<void> | undefined;
  let retryTimer: NodeJS.Timeout | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let failures = 0;
  let closed = false;

  async function connect() {
    const made = (await knex.client.acquireRawConnection()) as ListeningConnection;
    made.on('error', () => lost(made));
    made.on('end', () => lost(made));
    made.on('notification', ({ payload = '' }) => deliver(payload));
    connection = made;
    await made.query({ text: `LISTEN ${CHANNEL}` });
    failures = 0;
    clearInterval(heartbeat);
    heartbeat = setInterval(() => void ping(made), HEARTBEAT);
    heartbeat.unref();
    if (closed || topics.size === 0) await stop();
  }

  function lost(which: ListeningConnection) {
    if (which !== connection) return;
    connection = undefined;
    clearInterval(heartbeat);
    void which.end().catch(() => {});
    reconnect();
  }

  function reconnect() {
    if (closed || topics.size === 0 || retryTimer) return;
    failures += 1;
    retryTimer = setTimeout(() => {
      retryTimer = undefined;
      connecting = connect();
      connecting.then(
        () => {
          for (const subscriber of everybody()) subscriber.missed();
        },
        () => {
          if (connection) lost(connection);
          else reconnect();
        },
      );
    }, Math.min(50 * 2 ** failures, 5_000));
    retryTimer.unref();
  }

  async function ping(which: ListeningConnection) {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer')), HEARTBEAT / 2);
      timer.unref();
    });
    await Promise.race([which.query({ text: 'SELECT 1' }), tooLong]).catch(() => lost(which));
    clearTimeout(timer);
  }

  function everybody(): Subscriber[] {
    return [...topics.values()].flatMap((subscribers) => [...subscribers]);
  }

  function deliver(message: string) {
    const at = message.indexOf('\n');
    const payload = message.slice(at + 1);
    for (const { handler } of [...(topics.get(message.slice(0, at)) ?? [])]) handler(payload);
  }

  async function stop() {
    const open = connection;
    connection = undefined;
    connecting = undefined;
    clearInterval(heartbeat);
    clearTimeout(retryTimer);
    retryTimer = undefined;
    await open?.end().catch(() => {});
  }

  return {
    async publish(on: Connection, topic: string, payload: string) {
      const message = `${topic}\n${payload}`;
      if (topic.includes('\n')) throw new Error('a topic is one line');
      if (Buffer.byteLength(message) > MAX_PAYLOAD_BYTES) throw new Error(`a published message has at most ${MAX_PAYLOAD_BYTES} bytes`);
      await (on as ListeningConnection).query({ text: 'SELECT pg_notify($1, $2)', values: [CHANNEL, message] });
    },
    async subscribe(topic: string, handler: Subscriber['handler'], missed: Subscriber['missed']): Promise<Subscription> {
      const subscriber = { handler, missed };
      const subscribers = topics.get(topic) ?? new Set();
      topics.set(topic, subscribers.add(subscriber));
      connecting ??= connect();
      try {
        await connecting;
      } catch {
        // A first connection that fails is made again like one that broke.
        reconnect();
      }
      return {
        live: true,
        async close() {
          subscribers.delete(subscriber);
          if (subscribers.size === 0 && topics.get(topic) === subscribers) topics.delete(topic);
          if (topics.size === 0) await stop();
        },
      };
    },
    async close() {
      closed = true;
      topics.clear();
      await stop();
    },
  };
}
