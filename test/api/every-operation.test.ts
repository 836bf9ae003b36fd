import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { assertProblem, operationsOf, startApi, type ApiTandem, type Document, type DocumentedOperation } from './harness.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
/** Nothing is under these names, and some are none. */
const NAMES = ['x', '%00', '%F0%9F%98%80', '..%2F..%2Fetc', '00000000-0000-4000-8000-000000000000', 'x'.repeat(4000)];

onEachDatabase('every operation of the document', (database) => {
  let tandem: ApiTandem;
  let token: string;
  let operations: DocumentedOperation[];
  before(async () => {
    tandem = await startApi(database, 'opaque', 'all');
    operations = operationsOf((await tandem.call('GET', '/openapi.json')).json as unknown as Document).filter(({ path }) => !path.startsWith('/api/users/'));
    token = await tandem.token(operations.map(({ scope }) => scope).join(' '));
  });
  after(() => tandem.close());
  // A bad request is never an error of ours.
  afterEach(() => assert.deepEqual(tandem.errors, []));

  const sending = () => operations.filter(({ method }) => method !== 'GET' && method !== 'DELETE');
  const at = (path: string, name = 'x') => path.replace(/\{\w+\}/g, name);
  const send = ({ method, path }: DocumentedOperation, body: string, headers: Record<string, string>) => tandem.call(method, at(path), token, { body, headers });

  it('refuses what is not JSON', async () => {
    assert.ok(sending().length > 15);
    for (const each of sending()) for (const body of ['{', '[1', '"', '{"a":1}}']) assertProblem(await send(each, body, JSON_TYPE), 400, 'invalid_request');
  });

  it('refuses JSON that is no object', async () => {
    for (const each of sending()) for (const body of ['null', '1', '"x"', '[]', '[{}]', 'true']) assertProblem(await send(each, body, JSON_TYPE), 400, 'invalid_request');
  });

  it('refuses unknown fields, and query parameters', async () => {
    for (const each of operations) {
      const { method, path, operation } = each;
      assertProblem(await tandem.call(method, `${at(path)}?nobody_asked=1`, token, sending().includes(each) ? { body: '{}', headers: JSON_TYPE } : {}), 400, 'invalid_request');
      if (!sending().includes(each)) continue;
      const answer = await send(each, '{"nobody_asked":{"a":[1]}}', JSON_TYPE);
      // Where members of others are taken, it is told by who knows which there are; or there is nothing under this name.
      const open = Object.values(operation.requestBody?.content ?? {}).some(({ schema }) => typeof schema['additionalProperties'] === 'object');
      if (open && answer.status === 404) continue;
      assertProblem(answer, 400, 'invalid_request');
      assert.match(JSON.stringify(answer.json), /nobody_asked/, operation.operationId);
    }
  });

  it('refuses other types of body, and compressed ones', async () => {
    for (const each of sending()) {
      for (const headers of [{ 'content-type': 'text/plain' }, { 'content-type': 'multipart/form-data; boundary=x' }, { ...JSON_TYPE, 'content-encoding': 'gzip' }]) {
        assertProblem(await send(each, '{}', headers), 415, 'unsupported_media_type');
      }
    }
  });

  it('refuses what is too large', async () => {
    for (const each of sending()) assertProblem(await send(each, ' '.repeat(9_000_000), JSON_TYPE), 413, 'payload_too_large');
  });

  it('finds nothing under a name that is none, and never breaks over it', async () => {
    for (const { method, path, operation } of operations.filter(({ path }) => path.includes('{'))) {
      for (const name of NAMES) {
        const answer = await tandem.call(method, at(path, name), token, method === 'GET' || method === 'DELETE' ? {} : { body: '{}', headers: JSON_TYPE });
        // Which accounts a client looks after is asked of those, not of the client.
        if (operation.operationId === 'listManagedAccounts' && answer.status === 200) assert.deepEqual(answer.json, { accounts: [] });
        else assert.ok([400, 404].includes(answer.status), `${operation.operationId} ${name.slice(0, 40)}: ${answer.status} ${JSON.stringify(answer.json)}`);
      }
    }
  });

  it('never breaks over what a query says', async () => {
    for (const { method, path, operation } of operations) {
      for (const { name } of (operation.parameters ?? []).filter((parameter) => parameter.in === 'query')) {
        for (const value of ['', '%00', 'x', '💥', '-1', '1e9', 'x'.repeat(900), '%F0%9F', '~!%27%22;--', 'bnVsbA', 'e30', 'MA.MA']) {
          const answer = await tandem.call(method, `${at(path)}?${name}=${value}`, token, method === 'GET' ? {} : { body: '{}', headers: JSON_TYPE });
          assert.ok(answer.status < 500, `${operation.operationId} ${name}=${value}: ${answer.status} ${JSON.stringify(answer.json)}`);
        }
      }
    }
  });

  it('never breaks over an example in which one member is another', async () => {
    for (const each of sending()) {
      const [{ example } = {}] = Object.values(each.operation.requestBody?.content ?? {});
      for (const name of Object.keys((example as object | undefined) ?? {})) {
        const answers = await Promise.all(['a\u0000b', '\ud800', 'x'.repeat(3000), null, ['\u0000']].map((value) => send(each, JSON.stringify({ ...(example as object), [name]: value }), JSON_TYPE)));
        for (const { status, json } of answers) assert.ok(status < 500, `${each.operation.operationId} ${name}: ${status} ${JSON.stringify(json)}`);
      }
    }
  });

  it('never breaks over values that are of the right shape and make no sense', async () => {
    const values: unknown[] = ['', '\u0000', 'x'.repeat(3000), '💥', -1, 1e308, null, [''], { '': '' }];
    for (const each of sending()) {
      const [{ schema } = { schema: {} }] = Object.values(each.operation.requestBody?.content ?? {});
      for (const name of Object.keys((schema['properties'] as object | undefined) ?? {})) {
        const answers = await Promise.all(values.map((value) => send(each, JSON.stringify({ [name]: value }), JSON_TYPE)));
        for (const { status, json } of answers) assert.ok(status < 500, `${each.operation.operationId} ${name}: ${status} ${JSON.stringify(json)}`);
      }
    }
  });
});
