import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { onEachDatabase } from '../support/databases.ts';
import { assertProblem, startApi, type ApiTandem } from './harness.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

onEachDatabase('a request to the API', (database) => {
  let tandem: ApiTandem;
  let token: string;
  before(async () => {
    tandem = await startApi(database, 'opaque');
    token = await tandem.token();
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  /** `POST /api/accounts`, refused: and nothing is made. */
  async function refused(body: string | Buffer, headers: Record<string, string>, status: number, code: string, path = '/api/accounts') {
    const before = await tandem.accounts();
    const answer = await tandem.call('POST', path, token, { body, headers });
    const json = assertProblem(answer, status, code);
    assert.equal(await tandem.accounts(), before);
    return json;
  }

  it('is refused where its body is malformed', async () => {
    for (const body of ['', '{', '{"email":"a@example.com"', '["a@example.com"]', 'null', '"a@example.com"']) await refused(body, JSON_TYPE, 400, 'invalid_request');
    await refused(Buffer.from('{"email":"a\xff@example.com"}', 'latin1'), JSON_TYPE, 400, 'invalid_request');
  });

  it('is refused with an unknown field, which is named', async () => {
    const json = await refused('{"email":"a@example.com","admin":true}', JSON_TYPE, 400, 'invalid_request');
    assert.match(String(json['detail']), /unknown field "admin"/);
    assert.deepEqual(json['errors'], [{ detail: 'unknown field', pointer: '#/admin' }]);
    const taken = await refused('{"email":"nobody"}', JSON_TYPE, 400, 'invalid_request');
    assert.deepEqual(Object.keys(taken), ['type', 'title', 'status', 'detail', 'error', 'error_description', 'field'], 'what every problem has comes first');
  });

  it('is refused without a field that it needs, which is named', async () => {
    const json = await refused('{}', JSON_TYPE, 400, 'invalid_request');
    assert.equal(json['detail'], 'field "email": it is missing');
    assert.deepEqual(json['errors'], [{ detail: 'it is missing', pointer: '#/email' }]);
  });

  it('is refused with a field of another type', async () => {
    const json = await refused('{"email":["a@example.com"],"name":1}', JSON_TYPE, 400, 'invalid_request');
    assert.deepEqual((json['errors'] as Array<{ pointer: string }>).map(({ pointer }) => pointer), ['#/email', '#/name']);
  });

  it('is refused with a query that nobody asked for', async () => {
    await refused('{"email":"a@example.com"}', JSON_TYPE, 400, 'invalid_request', '/api/accounts?admin=true');
  });

  it('is refused as another type than JSON', async () => {
    await refused('email=a%40example.com', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type');
    await refused('{"email":"a@example.com"}', { 'content-type': 'text/plain;charset=UTF-8' }, 415, 'unsupported_media_type');
    await refused('{"email":"a@example.com"}', { ...JSON_TYPE, 'content-encoding': 'br' }, 415, 'unsupported_media_type');
  });

  it('is refused where its body is larger than 64 KiB, whether or not it says so before', async () => {
    await refused(JSON.stringify({ email: 'a@example.com', name: 'x'.repeat(70_000) }), JSON_TYPE, 413, 'payload_too_large');
    const before = await tandem.accounts();
    const chunk = `${(2000).toString(16)}\r\n${' '.repeat(2000)}\r\n`;
    const head = `POST /api/accounts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const answer = await raw(head + chunk.repeat(40));
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /application\/problem\+json/);
    assert.equal(await tandem.accounts(), before);
  });

  it('reads of a body that breaks off make nothing', async () => {
    const before = await tandem.accounts();
    await new Promise<void>((resolve, reject) => {
      const socket = connect(Number(new URL(tandem.issuer).port), 'localhost', () => {
        socket.write(`POST /api/accounts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"email":"a@`, () => setTimeout(() => socket.destroy(), 50));
      });
      socket.once('error', reject);
      socket.once('close', () => resolve());
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(await tandem.accounts(), before);
  });

  it('is told of a method that there is not, and of a path', async () => {
    const wrong = await tandem.call('GET', '/api/accounts', token);
    assertProblem(wrong, 405, 'method_not_allowed');
    assert.equal(wrong.headers.get('allow'), 'POST');
    assertProblem(await tandem.call('PUT', '/api/admin/clients', token), 405, 'method_not_allowed');
    assertProblem(await tandem.call('OPTIONS', '/api/admin/clients'), 405, 'method_not_allowed');
  });

  it('is refused with a parameter sent twice, or that is none', async () => {
    for (const query of ['limit=1&limit=2', 'limit=many', 'limit=0', 'limit=1e9', 'page=2']) assertProblem(await tandem.call('GET', `/api/admin/clients?${query}`, token), 400, 'invalid_request');
  });

  it('is not helped by the cookies of a browser', async () => {
    const answer = await tandem.call('GET', '/api/admin/clients', undefined, { headers: { cookie: '_session=x; tandem=y' } });
    assertProblem(answer, 401, 'missing_token');
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  });

  function raw(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let answer = '';
      const socket = connect(Number(new URL(tandem.issuer).port), 'localhost', () => socket.write(text));
      socket.setEncoding('utf8');
      socket.on('data', (chunk: string) => {
        answer += chunk;
        socket.end();
      });
      socket.once('error', reject);
      socket.once('close', () => resolve(answer));
    });
  }
});
