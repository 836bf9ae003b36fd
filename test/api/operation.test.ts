import assert from 'node:assert/strict';
import { z } from 'zod';
import { AppError } from '../../src/errors.ts';
import { createApi, operation, type Api, type ApiCaller } from '../../src/lib/http/operation.ts';
import { startBareApp, type BareApp } from '../support/bare-app.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };
const CALLER: ApiCaller = {
  clientId: 'till',
  accountId: undefined,
  scopes: ['things:write'],
  actor: { kind: 'client', id: 'till', authority: new Set() },
  auth: { subject: undefined, acr: undefined, amr: [], authTime: undefined, expiresAt: 0 },
};

describe('an operation of the API', () => {
  let app: BareApp;
  let api: Api;
  const order: string[] = [];
  const taken: string[] = [];

  before(async () => {
    app = await startBareApp((router) => {
      api = createApi({
        router,
        async authorize(ctx, scope, callers) {
          order.push(`${callers} ${scope}`);
          if (ctx.get('Authorization') === '') throw new AppError('invalid_token', 'no token');
          return CALLER;
        },
      });
      declare(api);
    });
  });
  after(() => app.close());
  beforeEach(() => void (order.length = taken.length = 0));

  function declare(to: Api) {
    const common = { tag: 'things', summary: 'Do', callers: 'clients', scope: 'things:write' } as const;
    const thing = z.strictObject({ name: z.string().max(5), inner: z.strictObject({ n: z.int() }).optional() });
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
      operation(to, { ...common, method, path: '/things', operationId: `${method}Thing`, body: thing, answer: z.object({ name: z.string() }) }, async (_ctx, { body, caller }) => {
        order.push('handler');
        // More than the schema tells.
        return { name: body.name, secret: 'hash', by: caller.clientId } as { name: string };
      });
    }
    const params = z.object({ id: z.uuid() });
    const query = z.strictObject({ limit: z.coerce.number().int().max(10).default(3), all: z.stringbool().optional() });
    operation(to, { ...common, method: 'GET', path: '/things/:id', operationId: 'getThing', params, query, answer: z.looseObject({}) }, async (_ctx, input) => ({ ...input.params, ...input.query }));
    const headers = z.object({ 'Idempotency-Key': z.string().max(5).optional() });
    operation(to, { ...common, method: 'POST', path: '/keyed', operationId: 'keyed', headers, answer: z.looseObject({}), status: 201 }, async (ctx, input) => {
      if (input.headers['Idempotency-Key'] === 'again') ctx.status = 200;
      return input.headers;
    });
    operation(to, { ...common, method: 'POST', path: '/either', operationId: 'either', body: z.object({ a: z.string() }), bodyTypes: ['json', 'form'], answer: z.object({ a: z.string() }) }, async (_ctx, { body }) => body);
    operation(to, { ...common, method: 'POST', path: '/large', operationId: 'large', body: z.strictObject({ a: z.string() }), maxBody: 100_000 }, async () => undefined);
    operation(to, { ...common, method: 'DELETE', path: '/things/:id', operationId: 'deleteThing', params }, async () => undefined);
    operation(to, { ...common, method: 'GET', path: '/picture', operationId: 'picture', answerType: 'image/png' }, async (ctx) => {
      ctx.type = 'image/png';
      ctx.body = Buffer.from([0x89, 0x50]);
    });
    operation(to, { tag: 'things', summary: 'Look', method: 'GET', path: '/public', operationId: 'look', callers: 'public', answer: z.object({ caller: z.boolean() }) }, async (_ctx, { caller }) => ({ caller: caller !== undefined }));
    operation(to, { ...common, method: 'GET', path: '/breaks', operationId: 'breaks', answer: z.object({ n: z.number() }) }, async () => ({ n: 'SELECT secret' }) as never);
    operation(to, { ...common, method: 'GET', path: '/refused', operationId: 'refused' }, async () => {
      throw new AppError('insufficient_scope', 'you lack “that”', { extra: { scope: 'things:own', type: 'overwritten' } });
    });
    operation(to, { ...common, method: 'GET', path: '/denied', operationId: 'denied' }, async () => {
      throw new AppError('access_denied', 'never');
    });
    operation(to, { ...common, method: 'GET', path: '/slow', operationId: 'slow', limit: { limit: { take: async (key: string) => void taken.push(key) } as never } }, async () => {
      throw new AppError('slow_down', 'not so fast', { retryAfter: 0.2 });
    });
  }

  const send = (path: string, init: RequestInit = {}) => fetch(app.url + path, { ...init, headers: { authorization: 'Bearer x', ...(init.headers as Record<string, string>) } });
  const post = (body: string, headers: Record<string, string> = JSON_TYPE, path = '/things') => send(path, { method: 'POST', body, headers });

  async function problem(response: Response, status: number, code: string): Promise<Record<string, unknown>> {
    const json = (await response.json()) as Record<string, unknown>;
    assert.equal(response.status, status, JSON.stringify(json));
    assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.deepEqual([json['type'], json['status'], json['error']], [`urn:tandem:error:${code}`, status, code]);
    assert.equal(json['detail'], json['error_description']);
    return json;
  }

  it('hands on what was sent, and answers no more than it says', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const response = await send('/things', { method, body: '{"name":"pen"}', headers: { 'content-type': 'application/json; charset=utf-8' } });
      assert.equal(response.status, 200, method);
      assert.deepEqual(await response.json(), { name: 'pen' });
    }
  });

  it('asks who calls before anything else', async () => {
    await problem(await fetch(`${app.url}/things`, { method: 'POST', body: '{', headers: JSON_TYPE }), 401, 'invalid_token');
    assert.deepEqual(order, ['clients things:write']);
  });

  it('lets anybody call what is public', async () => {
    assert.deepEqual(await (await fetch(`${app.url}/public`)).json(), { caller: false });
    assert.deepEqual(order, []);
  });

  it('refuses what is not JSON, is no object, or is no UTF-8', async () => {
    for (const body of ['{', '{"name":', "{'name':'x'}", 'null', '[]', '"x"', '1']) await problem(await post(body), 400, 'invalid_request');
    await problem(await send('/things', { method: 'POST', body: Buffer.from([0x7b, 0xff, 0x7d]), headers: JSON_TYPE }), 400, 'invalid_request');
    assert.ok(!order.includes('handler'));
  });

  it('refuses unknown fields at every depth, and points at all that is wrong', async () => {
    const json = await problem(await post('{"name":"longer","x/y":1,"inner":{"n":1.5,"more":true}}'), 400, 'invalid_request');
    const pointers = (json['errors'] as Array<{ pointer: string }>).map(({ pointer }) => pointer);
    assert.deepEqual(pointers.sort(), ['#/inner/more', '#/inner/n', '#/name', '#/x~1y']);
    await problem(await post('{"name":"pen","__proto__":{"a":1}}'), 400, 'invalid_request');
    assert.ok(!order.includes('handler'));
  });

  it('refuses a body of another type, a compressed one, and one that is too large', async () => {
    await problem(await post('{"name":"pen"}', { 'content-type': 'text/plain' }), 415, 'unsupported_media_type');
    await problem(await post('name=pen', FORM_TYPE), 415, 'unsupported_media_type');
    await problem(await post('{"name":"pen"}', { ...JSON_TYPE, 'content-encoding': 'gzip' }), 415, 'unsupported_media_type');
    await problem(await post(JSON.stringify({ name: 'x'.repeat(70_000) })), 413, 'payload_too_large');
    assert.equal((await post(JSON.stringify({ a: 'x'.repeat(70_000) }), JSON_TYPE, '/large')).status, 204);
    await problem(await post(JSON.stringify({ a: 'x'.repeat(100_000) }), JSON_TYPE, '/large'), 413, 'payload_too_large');
    await problem(await post('{}', JSON_TYPE, '/keyed?x=1'), 400, 'invalid_request');
    await problem(await post('{"x":1}', JSON_TYPE, '/keyed'), 400, 'invalid_request');
  });

  it('takes a form where it says so, with each field once', async () => {
    assert.deepEqual(await (await post('a=1', FORM_TYPE, '/either')).json(), { a: '1' });
    assert.deepEqual(await (await post('{"a":"2"}', JSON_TYPE, '/either')).json(), { a: '2' });
    await problem(await post('a=1&a=2', FORM_TYPE, '/either'), 400, 'invalid_request');
    await problem(await post('a=1&b=2', FORM_TYPE, '/either'), 400, 'invalid_request');
    await problem(await post('{"a":"1","b":"2"}', JSON_TYPE, '/either'), 400, 'invalid_request');
  });

  it('reads the query strictly, each parameter once', async () => {
    const id = '4f9d1f0e-6d0c-4a5e-9a8b-0c2f6f1e7a31';
    assert.deepEqual(await (await send(`/things/${id}`)).json(), { id, limit: 3 });
    assert.deepEqual(await (await send(`/things/${id}?limit=7&all=true`)).json(), { id, limit: 7, all: true });
    assert.match(String((await problem(await send(`/things/${id}?limit=1&limit=2`), 400, 'invalid_request'))['detail']), /"limit" is sent twice/);
    for (const query of ['limit=11', 'limit=x', 'more=1', 'all=maybe']) await problem(await send(`/things/${id}?${query}`), 400, 'invalid_request');
  });

  it('knows nothing under a name that can be none', async () => {
    for (const id of ['1', '%00', '%E0%A4%A', 'x'.repeat(2000)]) await problem(await send(`/things/${id}`), 404, 'not_found');
  });

  it('reads the headers that it names', async () => {
    assert.deepEqual(await (await send('/keyed', { method: 'POST', headers: { 'idempotency-key': 'abc' } })).json(), { 'Idempotency-Key': 'abc' });
    await problem(await send('/keyed', { method: 'POST', headers: { 'idempotency-key': 'abcdef' } }), 400, 'invalid_request');
  });

  it('answers with the status that it says, or that its handler sets', async () => {
    assert.equal((await send('/keyed', { method: 'POST' })).status, 201);
    assert.equal((await send('/keyed', { method: 'POST', headers: { 'idempotency-key': 'again' } })).status, 200);
    const deleted = await send('/things/4f9d1f0e-6d0c-4a5e-9a8b-0c2f6f1e7a31', { method: 'DELETE' });
    assert.deepEqual([deleted.status, await deleted.text()], [204, '']);
    const picture = await send('/picture');
    assert.deepEqual([picture.status, picture.headers.get('content-type'), (await picture.arrayBuffer()).byteLength], [200, 'image/png', 2]);
    assert.equal((await send('/picture', { method: 'HEAD' })).status, 200);
  });

  it('tells what another token would have to say, when a service refuses', async () => {
    const response = await send('/refused');
    const json = await problem(response, 403, 'insufficient_scope');
    assert.equal(json['scope'], 'things:own');
    assert.equal(response.headers.get('www-authenticate'), `Bearer realm="${app.url}", error="insufficient_scope", error_description="you lack ?that?", scope="things:own"`);
  });

  it('finds nothing wrong with the token of who may not do it at all', async () => {
    const response = await send('/denied');
    await problem(response, 403, 'access_denied');
    assert.equal(response.headers.get('www-authenticate'), `Bearer realm="${app.url}", scope="things:write"`);
  });

  it('is limited by the client, and says when to come back', async () => {
    const response = await send('/slow');
    await problem(response, 429, 'slow_down');
    assert.equal(response.headers.get('retry-after'), '1');
    assert.deepEqual(taken, ['till']);
  });

  it('tells of what breaks nothing but a reference into the log', async () => {
    const json = await problem(await send('/breaks'), 500, 'server_error');
    assert.ok(!JSON.stringify(json).includes('SELECT'));
    assert.equal((app.errors.at(-1) as { reference: string }).reference, json['reference']);
  });

  it('answers other methods with those that there are', async () => {
    const response = await send('/keyed');
    await problem(response, 405, 'method_not_allowed');
    assert.equal(response.headers.get('allow'), 'POST');
  });

  it('is declared once', () => {
    assert.throws(() => operation(api, { tag: 'x', summary: 'x', method: 'GET', path: '/x', operationId: 'getThing', callers: 'public' }, async () => undefined), /getThing is declared twice/);
  });
});
