import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { operationsOf, startApi, type ApiTandem, type Document, type DocumentedOperation, type Schema } from './harness.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

/** A member of a body, by its path, and what the document says of it. */
interface Member {
  readonly path: readonly string[];
  readonly schema: Schema;
}

/** The members of an object, and those of the objects in it. */
function membersOf(schema: Schema, path: readonly string[] = []): Member[] {
  return Object.entries((schema['properties'] ?? {}) as Record<string, Schema>).flatMap(([name, each]) => [
    { path: [...path, name], schema: each },
    ...(each['type'] === 'object' ? membersOf(each, [...path, name]) : []),
  ]);
}

/** A value that a schema allows, as plain as can be. */
function allowed(schema: Schema): unknown {
  if (schema['enum']) return (schema['enum'] as unknown[])[0];
  if ('const' in schema) return schema['const'];
  const branches = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined;
  if (branches) return allowed(branches[0]!);
  if (schema['examples']) return (schema['examples'] as unknown[])[0];
  const type = [schema['type']].flat()[0];
  if (type === 'object') {
    const required = (schema['required'] ?? []) as string[];
    return Object.fromEntries(required.map((name) => [name, allowed((schema['properties'] as Record<string, Schema>)[name]!)]));
  }
  const plain: Readonly<Record<string, unknown>> = { string: 'a'.repeat(Number(schema['minLength'] ?? 1)), integer: schema['minimum'] ?? 1, number: 1, boolean: true, array: [] };
  return plain[String(type)];
}

/** Values at the edges of what the document allows, and just beyond. */
function edges({ schema }: Member): { within: unknown[]; beyond: unknown[] } {
  const { minimum, maximum, minLength, maxLength, maxItems, items } = schema as Record<string, number | undefined> & { items?: Schema };
  const many = (count: number) => Array.from({ length: count }, (_, index) => (items?.['type'] === 'string' ? `a${index}` : allowed(items ?? {})));
  return {
    within: [
      ...[minimum, maximum].filter((each) => each !== undefined),
      ...(maxLength !== undefined ? ['a'.repeat(maxLength)] : []),
      ...(maxItems !== undefined ? [many(maxItems)] : []),
      ...((schema['enum'] as unknown[] | undefined) ?? []),
    ],
    beyond: [
      ...(minimum !== undefined ? [minimum - 1] : []),
      ...(maximum !== undefined ? [maximum + 1] : []),
      ...(minLength !== undefined && minLength > 0 ? [''] : []),
      ...(maxLength !== undefined ? ['a'.repeat(maxLength + 1)] : []),
      ...(maxItems !== undefined ? [many(maxItems + 1)] : []),
      ...(schema['enum'] ? ['none of these'] : []),
      ...(schema['type'] === 'integer' ? [1.5, '1'] : schema['type'] === 'string' ? [7] : schema['type'] === 'boolean' ? ['true', 1] : schema['type'] === 'array' ? [{}, 'a'] : []),
    ],
  };
}

onEachDatabase('what the document says of bodies', (database) => {
  let tandem: ApiTandem;
  let token: string;
  let sending: Array<DocumentedOperation & { schema: Schema; example: object }>;
  before(async () => {
    tandem = await startApi(database, 'opaque', 'all');
    const operations = operationsOf((await tandem.call('GET', '/openapi.json')).json as unknown as Document).filter(({ path }) => !path.startsWith('/api/users/'));
    token = await tandem.token(operations.map(({ scope }) => scope).join(' '));
    sending = operations.flatMap((each) => {
      const content = each.operation.requestBody?.content['application/json'];
      return content ? [{ ...each, schema: content.schema, example: { ...(allowed(content.schema) as object), ...(content.example as object | undefined) } }] : [];
    });
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  /** Sends the example with one member changed; the status, and where the body is said to be wrong. */
  async function send({ method, path, example }: (typeof sending)[number], at: readonly string[], value: unknown) {
    const body = structuredClone(example) as Record<string, unknown>;
    let object = body;
    for (const name of at.slice(0, -1)) object = (object[name] ??= {}) as Record<string, unknown>;
    object[at.at(-1)!] = value;
    const answer = await tandem.call(method, path.replace(/\{\w+\}/g, 'x'), token, { body: JSON.stringify(body), headers: JSON_TYPE });
    return { status: answer.status, detail: JSON.stringify(answer.json), pointers: ((answer.json['errors'] ?? []) as Array<{ pointer: string }>).map(({ pointer }) => pointer) };
  }

  it('refuses just what is beyond, and says where', async () => {
    let sent = 0;
    for (const each of sending) {
      for (const member of membersOf(each.schema)) {
        for (const value of edges(member).beyond) {
          const { status, detail, pointers } = await send(each, member.path, value);
          const what = `${each.operation.operationId} ${member.path.join('.')} = ${JSON.stringify(value).slice(0, 60)}: ${status} ${detail.slice(0, 300)}`;
          assert.equal(status, 400, what);
          assert.ok(pointers.some((pointer) => pointer.startsWith(`#/${member.path.join('/')}`)), what);
          sent += 1;
        }
      }
    }
    assert.ok(sent > 200, String(sent));
  });

  it('takes what is at its edges', async () => {
    let sent = 0;
    for (const each of sending) {
      for (const member of membersOf(each.schema)) {
        for (const value of edges(member).within) {
          const { detail, pointers } = await send(each, member.path, value);
          const [name] = member.path.slice(-1);
          const what = `${each.operation.operationId} ${member.path.join('.')} = ${JSON.stringify(value).slice(0, 60)}: ${detail.slice(0, 300)}`;
          // Text and lists are also judged by what they say, though not as too long.
          assert.doesNotMatch(detail, /too big|at most|larger/i, what);
          if (typeof value !== 'string' && !Array.isArray(value)) assert.deepEqual(pointers.filter((pointer) => pointer.startsWith(`#/${member.path.join('/')}`)), [], what);
          if (typeof value === 'number') assert.notEqual((JSON.parse(detail) as { field?: string }).field, name, what);
          sent += 1;
        }
      }
    }
    assert.ok(sent > 100, String(sent));
  });
});
