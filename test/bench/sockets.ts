import net from 'node:net';
import type { Run } from './saturate.ts';

/** The bytes of a GET, so that sending it again costs nothing. */
export function rawGet(url: string, headers: Readonly<Record<string, string>>): Buffer {
  const { host, pathname, search } = new URL(url);
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`);
}

function connect(issuer: string): Promise<net.Socket> {
  const { hostname, port } = new URL(issuer);
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: hostname, port: Number(port), noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Where an answer with a length ends, or undefined while it is not complete; throws when it is not a success. */
function endOf(answer: Buffer): number | undefined {
  const body = answer.indexOf('\r\n\r\n');
  if (body < 0) return undefined;
  const head = answer.toString('latin1', 0, body);
  if (!head.startsWith('HTTP/1.1 200')) throw new Error(`answered ${head.split('\r\n', 1)[0]}: ${answer.toString('utf8', body, body + 300)}`);
  const end = body + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
  return answer.length >= end ? end : undefined;
}

/** Sends each request once, in order, over some connections; faster than an HTTP client, which would be what is measured. */
export async function pump(issuer: string, requests: readonly Buffer[], { connections = 16, seconds }: { connections?: number; seconds: number }): Promise<Run> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => connect(issuer)));
  const began = performance.now();
  const end = began + seconds * 1000;
  let next = 0;
  let count = 0;

  const drive = (socket: net.Socket) =>
    new Promise<void>((resolve, reject) => {
      let pending: Buffer = Buffer.alloc(0);
      const send = () => {
        const request = requests[next];
        if (!request || performance.now() >= end) return resolve();
        next += 1;
        socket.write(request);
      };
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => {
        pending = pending.length ? Buffer.concat([pending, chunk]) : chunk;
        try {
          const length = endOf(pending);
          if (length === undefined) return;
          pending = pending.subarray(length);
          count += 1;
          send();
        } catch (error) {
          reject(error as Error);
        }
      });
      send();
    });

  try {
    await Promise.all(sockets.map(drive));
    return { count, seconds: (performance.now() - began) / 1000 };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** An open event stream. */
export interface OpenStream {
  close(): void;
}

/** Opens an event stream and tells of each event as it arrives. */
export async function openEvents(issuer: string, request: Buffer, onEvent: (name: string, data: string) => void): Promise<OpenStream> {
  const socket = await connect(issuer);
  let text = '';
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.startsWith('HTTP/1.1 ') && !text.startsWith('HTTP/1.1 200')) return reject(new Error(`the stream answered ${text.slice(0, 400)}`));
      resolve();
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        const name = /^event: ?(.*)$/m.exec(event)?.[1];
        if (name) onEvent(name, /^data: ?(.*)$/m.exec(event)?.[1] ?? '');
      }
    });
    socket.write(request);
  });
  return { close: () => socket.destroy() };
}
