import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseLink, PhoneError, type EnrolmentLink, type Phone, type PhoneAccount, type PhoneErrorCode } from '../../src/phone/index.ts';

export const TX = 'EBESExQVFhcYGRobHB0eHw';
export const MAC = '8a7PgZNuxPmq8e-GAE2Pqw';
export const TICKET = 'gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8';

export const code = (expected: PhoneErrorCode) => (error: unknown) => error instanceof PhoneError && error.code === expected;

export interface Received {
  readonly path: string;
  readonly body: string;
  readonly contentType: string | undefined;
  readonly cookie: string | undefined;
}
export type Answer = { status?: number; headers?: Record<string, string>; json: unknown };

/** A server that answers a phone by a script, anew for each test; whatever it answers, it keeps what it was asked. */
export function scriptedServer() {
  const script = {
    issuer: '',
    received: [] as Received[],
    /** What the server's clock is ahead of ours, in milliseconds. */
    ahead: 0,
    nonces: 0,
    answers: {} as Record<string, (call: Received) => Answer>,
  };
  let server: Server;

  beforeEach(async () => {
    script.received = [];
    script.ahead = 0;
    script.nonces = 0;
    script.answers = {
      '/phone/nonce': () => ({ json: { nonce: `nonce-${++script.nonces}`, server_time: Math.floor((Date.now() + script.ahead) / 1000) } }),
      '/phone/enrolment/offer': () => ({
        json: {
          issuer: script.issuer,
          account: { label: 'ada@example.com' },
          expires_in: 290,
          webauthn: { rp: { id: 'localhost', name: 'Tandem' }, user: { id: 'AAAA', name: 'ada', displayName: 'Ada' }, challenge: 'AAAA' },
        },
      }),
      '/phone/enrolment': (call) => ({
        json: { device_id: 'device-1', confirm_code: '123456', expires_in: 200, user_verifying: call.body.startsWith('{') },
      }),
      '/phone/transactions/claim': () => ({ json: { tx: TX, challenge: 'the-challenge', request: request(), expires_in: 100 } }),
      '/phone/transactions/decision': () => ({ json: { state: 'approved', confirm_code: '654321', expires_in: 100 } }),
    };
    server = createServer((req, res) => {
      let body = '';
      req.on('data', (chunk: Buffer) => (body += chunk.toString()));
      req.on('end', () => {
        const call = { path: req.url ?? '', body, contentType: req.headers['content-type'], cookie: req.headers.cookie };
        script.received.push(call);
        const { status = 200, headers = {}, json } = script.answers[call.path]?.(call) ?? { status: 404, json: { error: 'not_found' } };
        res.writeHead(status, { 'content-type': 'application/json', ...headers });
        res.end(typeof json === 'string' ? json : JSON.stringify(json));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    script.issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  function request(changes: Record<string, unknown> = {}) {
    const json = {
      v: 1,
      purpose: 'login',
      issuer: script.issuer,
      account: { label: 'ada@example.com' },
      level: '1',
      client: { id: 'rp', name: 'Reading Room — Zürich' },
      scopes: [],
      browser: { family: 'Firefox', os: 'Linux', known: true },
      confirm: true,
      tx: TX,
      iat: 1,
      ...changes,
    };
    return Buffer.from(JSON.stringify(json)).toString('base64url');
  }

  async function enrolled(phone: Phone): Promise<PhoneAccount> {
    const link = parseLink(`${script.issuer}/e/1.${TICKET}`) as EnrolmentLink;
    const { account } = await phone.enrol(await phone.offer(link), { name: 'Ada’s phone', platform: 'Android' });
    return account;
  }
  const frame = () => parseLink(`${script.issuer}/q/1.${TX}.7.${MAC}`) as Extract<ReturnType<typeof parseLink>, { kind: 'sign-in' }>;
  const last = (path: string) => script.received.findLast((call) => call.path === path) as Received;
  const payload = (path: string) => JSON.parse(Buffer.from(last(path).body.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

  return { script, request, enrolled, frame, last, payload };
}
