import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import { accounts, qr, totp } from '../../src/index.ts';
import { ADMIN_SCOPES } from '../../src/admin/api/scopes.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startTandem } from '../support/tandem.ts';
import { assertProblem, FEATURES, operationsOf, startApi, type ApiTandem, type Document, type Schema } from './harness.ts';

const isTwoCall = ({ path }: { path: string }) => path.startsWith('/api/users/');

onEachDatabase('the OpenAPI document', (database) => {
  let tandem: ApiTandem;
  let document: Document;
  before(async () => {
    tandem = await startApi(database, 'opaque');
    document = (await (await fetch(tandem.url('/openapi.json'))).json()) as Document;
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  it('is valid OpenAPI 3.1, whose references lead somewhere', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document) as unknown as Record<string, unknown>);
    assert.ok(valid, JSON.stringify(errors, undefined, 2));
    assert.equal(validator.version, '3.1');
    const references = new Set([...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference!));
    assert.ok(references.size > 5);
    for (const reference of references) {
      const found = reference.slice(2).split('/').reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], document);
      assert.ok(reference.startsWith('#/components/') && found, reference);
    }
  });

  it('is public, for any site, and kept until it changes', async () => {
    const first = await fetch(tandem.url('/openapi.json'), { headers: { origin: 'https://docs.example.com' } });
    assert.equal(first.headers.get('access-control-allow-origin'), '*');
    assert.equal(first.headers.get('cache-control'), 'public, max-age=300');
    assert.match(first.headers.get('content-type')!, /^application\/json/);
    // Of the helper: fetch asks for no more than it has.
    const again = await tandem.call('GET', '/openapi.json', undefined, { headers: { 'if-none-match': first.headers.get('etag')!, 'cache-control': 'max-age=0' } });
    assert.equal(again.status, 304);
    assert.equal((await fetch(tandem.url('/openapi.json'), { method: 'HEAD' })).status, 200);
    assert.deepEqual(document.servers, [{ url: tandem.issuer }]);
  });

  it('names each operation once, in few words, with a scope of its own whose words it tells', () => {
    const { client, administrator } = document.components.securitySchemes;
    const [clients, administrators] = [client!.flows!['clientCredentials']!, administrator!.flows!['authorizationCode']!];
    assert.equal(clients.tokenUrl, tandem.url('/token'));
    assert.equal(administrators.authorizationUrl, tandem.url('/auth'));
    const operations = operationsOf(document);
    const ids = operations.map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
    for (const { path, operation } of operations) {
      const [scope] = operation.security[0]!['client']!;
      assert.ok(scope && clients.scopes[scope], `${operation.operationId}: ${scope}`);
      assert.ok(operation.summary.length < 100 && operation.tags.length === 1, operation.operationId);
      assert.ok(!operation.summary.endsWith('.'), operation.summary);
      if (!path.startsWith('/api/admin/')) continue;
      assert.deepEqual(operation.security, [{ client: [scope] }, { administrator: [scope] }]);
      assert.ok(administrators.scopes[scope], scope);
    }
    assert.deepEqual(Object.keys(administrators.scopes).sort(), Object.keys(ADMIN_SCOPES).sort());
    const admin = operations.filter(({ path }) => path.startsWith('/api/admin/')).map(({ operation }) => operation.security[0]!['client']![0]);
    assert.equal(new Set(admin).size, admin.length, 'a scope for each operation of administrators');
  });

  it('tells of operations that are there, each of which wants a token', async () => {
    const operations = operationsOf(document).filter((each) => !isTwoCall(each));
    assert.ok(operations.filter(({ path }) => path.startsWith('/api/admin/')).length > 20);
    for (const { path, method, operation } of operations) {
      const answer = await tandem.call(method, path.replace(/\{\w+\}/g, 'x'), undefined);
      assertProblem(answer, 401, 'missing_token');
      assert.match(answer.challenge, new RegExp(`scope="${operation.security[0]!['client']![0]}"`));
      assert.match(operation.responses['401']?.description ?? '', /`missing_token`, `invalid_token`/);
    }
  });

  it('tells of the scope that each is refused without', async () => {
    const token = await tandem.token();
    for (const { path, method, operation } of operationsOf(document).filter((each) => !isTwoCall(each))) {
      const [scope] = operation.security[0]!['client']!;
      if (['accounts:create', 'admin:clients:list'].includes(scope!)) continue;
      const answer = await tandem.call(method, path.replace(/\{\w+\}/g, 'x'), token);
      assert.equal(assertProblem(answer, 403, 'insufficient_scope')['scope'], scope, operation.operationId);
    }
  });

  it('says for each object that is sent whether it takes members that it does not name', () => {
    for (const { operation } of operationsOf(document)) {
      for (const { schema } of Object.values(operation.requestBody?.content ?? {})) {
        for (const [at, object] of objectsOf(schema, operation.operationId)) assert.ok('additionalProperties' in object, `${at}: ${JSON.stringify(object).slice(0, 200)}`);
      }
    }
  });

  it('tells of the parameters of each path, and what may be sent', () => {
    for (const { path, method, operation } of operationsOf(document)) {
      const named = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      assert.deepEqual(named, [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name), path);
      if (method === 'GET') assert.equal(operation.requestBody, undefined, operation.operationId);
    }
    const create = document.paths['/api/accounts']!['post']!;
    assert.deepEqual(create.parameters?.map(({ name, in: where, required }) => [name, where, required]), [['Idempotency-Key', 'header', undefined]]);
    assert.deepEqual(Object.keys(create.requestBody!.content), ['application/json']);
    const qrCode = document.paths['/api/users/google/2FAuth/qrCode']!['post']!;
    assert.deepEqual(Object.keys(qrCode.requestBody!.content), ['application/x-www-form-urlencoded']);
    assert.deepEqual(Object.keys(qrCode.responses['200']!.content!), ['image/png']);
  });

  it('shows examples that its schemas allow', async () => {
    const examples = operationsOf(document).flatMap(({ operation }) =>
      [...Object.values(operation.requestBody?.content ?? {}), ...Object.values(operation.responses).flatMap(({ content }) => Object.values(content ?? {}))]
        .filter(({ example }) => example !== undefined)
        .map(({ schema, example }) => ({ id: operation.operationId, schema, example })));
    assert.ok(examples.length > 3);
    const { z } = await import('zod');
    for (const { id, schema, example } of examples) {
      // The keyword that says where the schema is from a document's components.
      const inlined = JSON.parse(JSON.stringify({ ...schema, $defs: document.components.schemas }).replaceAll('#/components/schemas/', '#/$defs/')) as never;
      const result = z.fromJSONSchema(inlined).safeParse(example);
      assert.ok(result.success, `${id}: ${result.error?.message}`);
    }
  });

  it('is where its provider is, and tells of the endpoints of that', async () => {
    const mounted = await startTandem(database, { features: FEATURES, mount: '/oidc', configuration: { routes: { token: '/tokens' } } });
    try {
      const found = (await (await fetch(mounted.url('/openapi.json'))).json()) as Document;
      assert.deepEqual(found.servers, [{ url: mounted.issuer }]);
      assert.equal(found.components.securitySchemes['client']!.flows!['clientCredentials']!.tokenUrl, mounted.url('/tokens'));
      const answer = await fetch(mounted.url('/api/admin/clients'));
      assert.equal(answer.status, 401);
    } finally {
      await mounted.close();
    }
  });

  it('tells of what is on, and of nothing else', async () => {
    const hashing = { memoryCost: 1024, timeCost: 1, parallelism: 1 };
    const some = await startTandem(database, { features: [accounts({ hashing }), totp()] });
    try {
      const found = (await (await fetch(some.url('/openapi.json'))).json()) as Document;
      assert.deepEqual(Object.keys(found.paths), ['/api/users/google/2FAuth/qrCode', '/api/users/google/2FAuth/validate']);
      assert.deepEqual(Object.keys(found.components.securitySchemes['client']!.flows!['clientCredentials']!.scopes), ['credential:totp:enrol:post', 'credential:totp:validate:post']);
      assert.ok((await new Validator().validate(found as unknown as Record<string, unknown>)).valid);
    } finally {
      await some.close();
    }
    const none = await startTandem(database, { features: [accounts({ hashing }), qr()] });
    try {
      assert.equal((await fetch(none.url('/openapi.json'))).status, 404);
    } finally {
      await none.close();
    }
  });
});

/** All objects with named members in a schema. */
function* objectsOf(schema: unknown, at: string): Generator<[string, Schema]> {
  if (typeof schema !== 'object' || schema === null) return;
  const object = schema as Schema;
  if (object['type'] === 'object' && 'properties' in object) yield [at, object];
  for (const [key, value] of Object.entries(object)) if (key !== 'example' && key !== 'examples') yield* objectsOf(value, `${at}.${key}`);
}
