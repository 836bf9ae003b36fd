import autocannon from 'autocannon';
import http from 'node:http';
import { WIDTH, type Run } from './saturate.ts';

export interface FixedRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Sends one request again and again over that many connections, or of several one at random each time; throws when an answer is not a success. */
export async function hammer(request: FixedRequest | readonly FixedRequest[], seconds: number): Promise<Run> {
  const many = [request].flat();
  const [{ url }] = many as [FixedRequest];
  // Prepared, as the load must cost less than what it measures.
  const parts = many.map(({ url: each, ...rest }) => ({ ...rest, path: new URL(each).pathname + new URL(each).search }));
  const setupRequest = (base: object) => ({ ...base, ...parts[Math.floor(Math.random() * parts.length)] });
  const result = await autocannon({ url: new URL(url).origin, requests: parts.length === 1 ? parts : [{ setupRequest }], connections: WIDTH, duration: seconds });
  if (result.non2xx || result.errors) throw new Error(`${result.non2xx} refused and ${result.errors} failed at ${url}`);
  return { count: result.requests.total, seconds: result.duration };
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** One person's browser, as light as can be: the load must cost less than what it measures. */
export interface Client {
  request(method: string, url: string, options?: { headers?: Record<string, string>; body?: string | undefined }): Promise<Answer>;
  cookie(): string;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
let addresses = 0;

/** A client with no cookies but those given, coming from an address of its own as far as a trusting server can tell. */
export function createClient(given: Readonly<Record<string, string>> = {}): Client {
  const cookies = new Map(Object.entries(given));
  addresses += 1;
  const address = `10.${(addresses >> 16) & 255}.${(addresses >> 8) & 255}.${addresses & 255}`;
  const cookie = () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');

  function keep(header: string) {
    const [pair = ''] = header.split(';', 1);
    const equals = pair.indexOf('=');
    const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
    if (value === '') cookies.delete(name);
    else cookies.set(name, value);
  }

  return {
    cookie,
    request(method, url, { headers = {}, body } = {}) {
      return new Promise((resolve, reject) => {
        const request = http.request(url, {
          method,
          agent,
          headers: {
            'x-forwarded-for': address,
            ...(cookies.size > 0 && { cookie: cookie() }),
            ...(method === 'POST' && { 'content-length': Buffer.byteLength(body ?? '') }),
            ...headers,
          },
        });
        request.on('error', reject);
        request.on('response', (response) => {
          for (const header of response.headers['set-cookie'] ?? []) keep(header);
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }));
          response.on('error', reject);
        });
        request.end(body);
      });
    },
  };
}

/** Stops the connections that the clients share. */
export function closeLoad(): void {
  agent.destroy();
}
