import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { exportJWK, generateKeyPair } from 'jose';
import { onEachDatabase } from '../support/databases.ts';
import { decodeHtml } from '../support/html.ts';
import type { HttpBrowser, Page } from '../support/http-browser.ts';
import { COMMAND_LINE, NOTES, startWithAdmin, textOfId, withAdmin, type AdminTandem } from './pages-harness.ts';

const DAY = 86_400_000;
const grants = { tandem_resources: { [NOTES]: ['notes:read'] } };
const MACHINE = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'], ...grants };

onEachDatabase('the admin pages of secrets and keys', (database) => {
  let tandem: AdminTandem;
  let browser: HttpBrowser;
  withAdmin(database, (started) => void ({ tandem, browser } = started));

  const at = (path: string) => browser.get(tandem.url(path));
  const registry = () => tandem.t.admin!.clients;
  const page = (id: string) => `/admin/clients/${encodeURIComponent(id)}/credentials`;

  async function tokenStatus(clientId: string, secret: string) {
    const headers = { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` };
    return (await fetch(tandem.url('/token'), { method: 'POST', headers, body: new URLSearchParams({ grant_type: 'client_credentials', resource: NOTES, scope: 'notes:read' }) })).status;
  }

  const secretClient = async () => {
    const { client, secret } = await registry().create({ client_name: 'Sync', token_endpoint_auth_method: 'client_secret_basic', ...MACHINE }, COMMAND_LINE);
    return { id: client.clientId, first: secret!.value };
  };
  const keyClient = async () => (await registry().create({ client_name: 'Signer', token_endpoint_auth_method: 'private_key_jwt', ...MACHINE }, COMMAND_LINE, { generateKey: 'ES256' })).client.clientId;

  describe('secrets', () => {
    it('overlap while they are rotated: the new one counts at once, the old one for as long as was chosen', async () => {
      const { id, first } = await secretClient();
      const made = await browser.submit(await at(page(id)), 'Make a new secret', { overlap: 'day' });
      assert.equal(made.status, 201, made.text);
      assert.match(made.text, /The secret before it ends in a day/);
      const second = textOfId(made, 'secret');
      assert.deepEqual([await tokenStatus(id, first), await tokenStatus(id, second)], [200, 200]);
      const shown = await at(page(id));
      assert.ok(!shown.body.includes(second));
      assert.match(shown.text, /There are two secrets/);
      assert.ok(!shown.forms.some(({ action }) => action.endsWith('/secrets')));
      const [old, young] = [...(await registry().get(id)).secrets].sort((a, b) => a.createdAt - b.createdAt);
      // Made on the same day, they are told apart all the same, by the id that the command line and the audit log give.
      for (const { id: secretId } of [old!, young!]) assert.equal(shown.text.split(secretId).length - 1, 2, 'beside the secret, and in the name of what removes it');
      assert.ok(Math.abs(old!.expiresAt! - tandem.clock() - DAY) < 60_000);
      assert.equal(young!.expiresAt, undefined);
    });

    it('are two at most, and removed when they are no longer needed', async () => {
      const { id, first } = await secretClient();
      const before = await at(page(id));
      const second = textOfId(await browser.submit(before, 'Make a new secret', { overlap: 'keep' }), 'secret');
      const third = await browser.submit(before, 'Make a new secret', { overlap: 'keep' });
      assert.equal(third.status, 409);
      assert.match(third.text, /does not go with what is there/);
      const [oldest] = [...(await registry().get(id)).secrets].sort((a, b) => a.createdAt - b.createdAt);
      const form = (await at(page(id))).forms.find(({ action, fields }) => action.endsWith('/secrets/remove') && fields.some(([, value]) => value === oldest!.id))!;
      const removed = await browser.post(form.action, Object.fromEntries(form.fields));
      assert.match(removed.text, /The secret is removed/);
      assert.deepEqual([await tokenStatus(id, first), await tokenStatus(id, second)], [401, 200]);
      assert.equal((await browser.post(form.action, Object.fromEntries(form.fields))).status, 404);
    });
  });

  describe('keys', () => {
    it('are missed where a client has none to authenticate with, and so are secrets', async () => {
      const { id } = await secretClient();
      const overview = async () => (await at(`/admin/clients/${id}`)).text;
      assert.doesNotMatch(await overview(), /cannot authenticate/);
      await registry().removeSecret(id, (await registry().get(id)).secrets[0]!.id, COMMAND_LINE);
      assert.match(await overview(), /no secret, so it cannot authenticate/);
      await registry().update(id, { token_endpoint_auth_method: 'private_key_jwt' }, COMMAND_LINE);
      assert.match(await overview(), /no key, so it cannot authenticate/);
      await registry().generateKey(id, 'ES256', COMMAND_LINE);
      assert.doesNotMatch(await overview(), /cannot authenticate/);
    });

    it('are made, handed out once, uploaded and removed', async () => {
      const id = await keyClient();
      const made = await browser.submit(await at(page(id)), 'Make a key pair', { algorithm: 'EdDSA' });
      assert.equal(made.status, 201, made.text);
      const { kid, d } = JSON.parse(decodeHtml(textOfId(made, 'private-key'))) as { kid: string; d: string };
      assert.ok(!(await at(page(id))).body.includes(d));
      const { publicKey } = await generateKeyPair('ES256', { extractable: true });
      const jwk = { ...(await exportJWK(publicKey)), kid: 'own/key?1', alg: 'ES256', use: 'sig' };
      const added = await browser.submit(await at(page(id)), 'Upload', { jwk: JSON.stringify(jwk) });
      assert.match(added.text, /The key is added/, added.text);
      const form = added.forms.find(({ action, fields }) => action.endsWith('/keys/remove') && fields.some(([, value]) => value === 'own/key?1'))!;
      assert.match((await browser.post(form.action, Object.fromEntries(form.fields))).text, /The key is removed/);
      const kids = (await registry().get(id)).keys.map((key) => key.kid);
      assert.equal(kids.length, 2);
      assert.ok(kids.includes(kid));
    });

    it('are refused where they are private, weak or none, and a private one is not shown again', async () => {
      const id = await keyClient();
      const { privateKey } = await generateKeyPair('ES256', { extractable: true });
      const secret = await exportJWK(privateKey);
      const submit = async (jwk: string): Promise<Page> => browser.submit(await at(page(id)), 'Upload', { jwk });
      for (const jwk of [JSON.stringify(secret), '{ "kty": "oct", "k": "c2VjcmV0" }', 'no json', '[]', '{ "kty": "EC" }']) {
        const refused = await submit(jwk);
        assert.equal(refused.status, 400, jwk);
        assert.ok(!refused.body.includes(secret.d!));
      }
      assert.equal((await registry().get(id)).keys.length, 1);
    });
  });

  describe('snippets', () => {
    /** Runs the program on the page with the settings on the page, as somebody who pastes both. */
    async function run(made: Page): Promise<string> {
      const folder = await mkdtemp(join(tmpdir(), 'tandem-snippet-'));
      try {
        await symlink(resolve('node_modules'), join(folder, 'node_modules'));
        await writeFile(join(folder, '.env'), decodeHtml(textOfId(made, 'snippet-0')));
        await writeFile(join(folder, 'client.mjs'), decodeHtml(textOfId(made, 'snippet-1')));
        return (await promisify(execFile)(process.execPath, ['--env-file=.env', 'client.mjs'], { cwd: folder })).stdout.trim();
      } finally {
        await rm(folder, { recursive: true });
      }
    }

    /** The tokens of somebody whose clock is the machine's. */
    const isToken = (text: string) => assert.match(text, /^[\w-]{40,}$/);

    it('of a service run as they are', async () => {
      const form = await at('/admin/clients/new?kind=service');
      const box = /name="(grant:[^"]*:notes:read)"/.exec(form.body)![1]!;
      const made = await browser.submit(form, '/new', { client_name: 'Sync', [box]: 'on' });
      isToken(await run(made));
    });

    it('of a service with a key run as they are', async () => {
      const own = await startWithAdmin(database);
      const other = await own.signedIn();
      try {
        const form = await other.get(own.url('/admin/clients/new?kind=key'));
        const box = /name="(grant:[^"]*:notes:read)"/.exec(form.body)![1]!;
        for (const algorithm of ['ES256', 'RS256', 'PS256', 'EdDSA']) isToken(await run(await other.submit(form, '/new', { client_name: 'Signer', algorithm, [box]: 'on' })));
      } finally {
        other.close();
        await own.close();
      }
    });

    it('of a website lead to a sign-in', async () => {
      const made = await browser.submit(await at('/admin/clients/new?kind=web'), '/new', { client_name: 'Bakery', redirect_uris: 'http://localhost:1/cb' });
      const to = new URL(await run(made));
      assert.equal(to.pathname, '/auth');
      assert.equal(to.searchParams.get('redirect_uri'), 'http://localhost:1/cb');
      const connect = await at(`/admin/clients/${textOfId(made, 'client-id')}/connect`);
      const test = connect.links.find((link) => link.includes('/auth?'))!;
      const asked = await browser.get(test);
      assert.match(asked.text, /Bakery/);
    });
  });
});
