import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { onEachDatabase } from '../support/databases.ts';
import { commandLine, type CommandLine, type Json } from './calls.ts';
import { temporaryFolder } from './program.ts';

const API = 'https://api.example.com';

onEachDatabase('tandem apply', (database) => {
  const folder = temporaryFolder();
  let tandem: CommandLine;
  before(async () => {
    tandem = commandLine(await database.url(), { ISSUER: 'https://id.example.com' });
  });

  const DOCUMENT = {
    resource_servers: [{ identifier: API, name: 'Notes', ttl: 600, scopes: [{ name: 'read', description: { en: 'Read your notes', de: 'Ihre Notizen lesen' } }, { name: 'pay', description: 'Pay in your name', level: 2 }] }],
    clients: [
      { client_id: 'reader', grant_types: ['client_credentials'], redirect_uris: [], response_types: [], tandem_resources: { [API]: ['read'] } },
      { client_id: 'shop', client_name: 'Shop', redirect_uris: ['https://shop.example/callback'] },
    ],
  };

  async function apply(document: unknown, ...options: string[]): Promise<{ json: Json; actions: string[] }> {
    const file = folder.path('registry.json');
    await writeFile(file, JSON.stringify(document));
    const json = await tandem.call('apply', file, ...options);
    return { json, actions: json.steps.map(({ action, kind, id }: Json) => `${action} ${kind} ${id}`) };
  }

  const CREATED = [`create resource_server ${API}`, `create scope ${API} read`, `create scope ${API} pay`, 'create client reader', 'create client shop'];

  it('tells in a dry run what it would do, and does nothing', async () => {
    const { json, actions } = await apply(DOCUMENT, '--dry-run');
    assert.equal(json.dry_run, true);
    assert.deepEqual(actions, CREATED);
    assert.deepEqual((await tandem.call('clients', 'list')).clients, []);
  });

  it('does it, tells each secret once, and finds nothing to do again', async () => {
    const { json, actions } = await apply(DOCUMENT);
    assert.equal(json.dry_run, false);
    assert.deepEqual(actions, CREATED);
    assert.deepEqual(json.steps.filter(({ secret }: Json) => /^[\w-]{43}$/.test(secret)).map(({ id }: Json) => id), ['reader', 'shop']);
    const again = await apply(DOCUMENT);
    assert.ok(again.actions.every((action) => action.startsWith('unchanged ')), again.actions.join());
    assert.match(await tandem.tell('apply', folder.path('registry.json')), /changed 0 entries, 5 are as the file says$/);
  });

  it('changes what differs, and says how', async () => {
    const [reader, shop] = DOCUMENT.clients;
    const changed = { ...DOCUMENT, clients: [reader, { ...shop, client_name: 'Corner Shop' }] };
    const { json } = await apply(changed);
    const [step] = json.steps.filter(({ action }: Json) => action !== 'unchanged');
    assert.deepEqual(step, { action: 'update', kind: 'client', id: 'shop', changes: { client_name: { before: 'Shop', after: 'Corner Shop' } } });
    await writeFile(folder.path('registry.json'), JSON.stringify(DOCUMENT));
    const text = await tandem.tell('apply', folder.path('registry.json'), '--dry-run');
    assert.match(text, /^~ client +shop +changed; client_name: "Corner Shop" → "Shop"$/m);
    assert.match(text, /would change 1 entry, 4 are as the file says$/);
  });

  it('removes with --prune alone what the file does not name', async () => {
    const less = { resource_servers: DOCUMENT.resource_servers, clients: DOCUMENT.clients.slice(1) };
    assert.ok(!(await apply(less)).actions.some((action) => action.startsWith('remove')));
    const { actions } = await apply(less, '--prune');
    assert.deepEqual(actions.filter((action) => action.startsWith('remove')), ['remove client reader']);
    assert.equal((await tandem.fail('clients', 'show', 'reader')).error, 'not_found');
  });

  it('says what is wrong with a file', async () => {
    const file = folder.path('wrong.json');
    for (const [content, expected] of [
      ['not json', /is not JSON/],
      ['[]', /must be a JSON object/],
      ['{"clientz":[]}', /clientz/],
      ['{"clients":[{"client_name":"no id"}]}', /client_id/],
    ] as const) {
      await writeFile(file, content);
      const { error_description: description } = await tandem.fail('apply', file);
      assert.match(description, expected);
    }
    assert.match((await tandem.fail('apply', folder.path('none.json'))).error_description, /cannot be read \(ENOENT\)/);
  });
});
