import type { Context as KoaContext } from 'koa';
import type { ServerResponse } from 'node:http';
import { servicesOf } from './services.ts';

/** One open event stream (WHATWG HTML, server-sent events). */
export interface Stream {
  /** Sends one event; `data` is sent as it is when it is text, else as JSON. */
  send(event: string, data: unknown): void;
  close(): void;
  /** Runs `listener` once, when either side has closed the stream. */
  onClose(listener: () => void): void;
}

export interface Streams {
  open(ctx: KoaContext): Stream;
  /** How many are open. */
  readonly size: number;
  /** Closes all. */
  close(): void;
}

/** Proxies cut connections that are silent for half a minute or more: each beats every 15 s. */
const BEATS = 150;
/** Milliseconds between two beats of the timer. */
const BEAT_EVERY = 100;
/** A reader that far behind is gone, in bytes. */
const MAX_BEHIND = 64 * 1024;

/**
 * Creates the open event streams of one process. They write to the raw response, which costs a fraction of a
 * stream between, and share one timer; each tenth of a second a few of them get their heartbeat, so that of ten thousand
 * nobody's news waits for long behind it.
 */
export function createStreams(): Streams {
  const slots = Array.from({ length: BEATS }, () => new Set<ServerResponse>());
  let slot = 0;
  let size = 0;
  let timer: NodeJS.Timeout | undefined;

  function beat() {
    slot = (slot + 1) % slots.length;
    for (const response of slots[slot]!) write(response, ':\n\n');
  }

  function add(response: ServerResponse) {
    const home = slots[slot]!;
    home.add(response);
    size += 1;
    timer ??= setInterval(beat, BEAT_EVERY).unref();
    response.once('close', () => {
      home.delete(response);
      size -= 1;
      if (size > 0) return;
      clearInterval(timer);
      timer = undefined;
    });
  }

  return {
    get size() {
      return size;
    },
    open(ctx) {
      const response = ctx.res;
      ctx.respond = false;
      response.socket?.setNoDelay(true);
      response.writeHead(200, {
        'Content-Type': 'text/event-stream; charset=utf-8',
        'Cache-Control': 'no-store, no-transform',
        'X-Accel-Buffering': 'no',
      });
      response.write('retry: 2000\n\n');
      add(response);
      return {
        send: (event, data) => write(response, message(event, data)),
        close: () => void response.end(),
        onClose(listener) {
          if (response.destroyed) listener();
          else response.once('close', listener);
        },
      };
    },
    close() {
      for (const responses of slots) for (const response of responses) response.end();
    },
  };
}

function write(response: ServerResponse, text: string) {
  if (response.writableEnded || response.destroyed) return;
  if (response.writableLength > MAX_BEHIND) response.destroy();
  else response.write(text);
}

function message(event: string, data: unknown): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  const lines = text.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `event: ${event}\n${lines.join('')}\n`;
}

/** Answers this request with an event stream. */
export function openStream(ctx: KoaContext): Stream {
  return servicesOf(ctx).streams.open(ctx);
}
