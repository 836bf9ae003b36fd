import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import type { HttpBrowser, Page } from '../support/http-browser.ts';
import { COMMAND_LINE, NOTES, textOfId, withAdmin, type AdminTandem } from './pages-harness.ts';

const CALLBACK = 'https://shop.example/callback';

onEachDatabase('the admin pages of clients', (database) => {
  let tandem: AdminTandem;
  let browser: HttpBrowser;
  withAdmin(database, (started) => void ({ tandem, browser } = started));

  const at = (path: string) => browser.get(tandem.url(path));
  const registry = () => tandem.t.admin!.clients;
  const pathOf = (page: Page) => new URL(page.url).pathname;
  const idIn = (page: Page) => decodeURIComponent(pathOf(page).split('/')[3]!);
  const fieldsOn = (page: Page, action: string) => Object.fromEntries(page.forms.find((form) => form.action.endsWith(action))!.fields);
  const register = async (kind: string, fields: Record<string, string>) => browser.submit(await at(`/admin/clients/new?kind=${kind}`), '/new', fields);
  const box = (page: Page, scope: string) => page.forms.flatMap(({ fields }) => fields.map(([name]) => name)).find((name) => name.endsWith(`:${scope}`)) ?? boxIn(page, scope);
  const boxIn = (page: Page, scope: string) => new RegExp(`name="(grant:[^"]*:${scope})"`).exec(page.body)?.[1] ?? assert.fail(`no box for ${scope}: ${page.text.slice(0, 300)}`);

  async function token(clientId: string, secret: string, scope = 'notes:read') {
    const headers = { authorization: `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64')}` };
    const answer = await fetch(tandem.url('/token'), { method: 'POST', headers, body: new URLSearchParams({ grant_type: 'client_credentials', resource: NOTES, scope }) });
    return answer.status;
  }

  const service = async (name = 'Sync') => {
    const form = await at('/admin/clients/new?kind=service');
    const page = await browser.submit(form, '/new', { client_name: name, [box(form, 'notes:read')]: 'on' });
    return { page, id: textOfId(page, 'client-id'), secret: textOfId(page, 'secret') };
  };

  describe('a new one', () => {
    it('website: a secret that is shown once, with defaults that fit', async () => {
      const page = await register('web', { client_name: 'Corner Bakery', redirect_uris: ` ${CALLBACK}\r\nhttps://shop.example/other \r\n`, post_logout_redirect_uris: 'https://shop.example/', offline: 'on' });
      assert.equal(page.status, 201, page.text);
      const { metadata, secrets } = await registry().get(textOfId(page, 'client-id'));
      assert.equal(secrets.length, 1);
      assert.deepEqual(metadata['redirect_uris'], [CALLBACK, 'https://shop.example/other']);
      assert.deepEqual(metadata['grant_types'], ['authorization_code', 'refresh_token']);
      assert.equal(metadata['scope'], 'openid profile email offline_access');
      assert.equal(metadata['token_endpoint_auth_method'], 'client_secret_basic');
      assert.equal(metadata['tandem_resources'], undefined, 'nothing is granted that was not ticked');
      const secret = textOfId(page, 'secret');
      assert.match(page.body, new RegExp(`CLIENT_SECRET=${secret}`));
      for (const below of ['', '/settings', '/access', '/credentials', '/connect']) assert.ok(!(await at(`/admin/clients/${textOfId(page, 'client-id')}${below}`)).body.includes(secret));
    });

    it('app: no secret, by PKCE', async () => {
      const page = await register('app', { client_name: 'Pocket', platform: 'native', redirect_uris: 'com.example.pocket:/callback' });
      assert.equal(page.status, 200, page.text);
      assert.match(page.text, /The client is registered/);
      const { metadata, secrets } = await registry().get(idIn(page));
      assert.deepEqual([metadata['token_endpoint_auth_method'], metadata['application_type'], secrets.length], ['none', 'native', 0]);
      assert.match((await at(`${pathOf(page)}/credentials`)).text, /runs where everybody can look inside/);
    });

    it('service: it gets tokens for what was ticked, and for nothing else', async () => {
      const { id, secret } = await service();
      assert.equal(await token(id, secret), 200);
      assert.equal(await token(id, secret, 'notes:write'), 400);
    });

    it('with a key: the pair is handed out once, and its public part is hosted', async () => {
      const page = await register('key', { client_name: 'Coffee machine' });
      assert.equal(page.status, 201, page.text);
      const id = textOfId(page, 'client-id');
      const href = /href="data:application\/json;base64,([^"]*)" download="([^"]*)"/.exec(page.body) ?? assert.fail('no download');
      const jwk = JSON.parse(Buffer.from(href[1]!, 'base64').toString()) as { kid: string; d: string };
      assert.ok(jwk.d);
      const hosted = (await (await fetch(tandem.url(`/clients/${id}/jwks`))).json()) as { keys: object[] };
      assert.deepEqual(hosted.keys.map((key) => [(key as typeof jwk).kid, 'd' in key]), [[jwk.kid, false]]);
      assert.ok(!(await at(`/admin/clients/${id}/credentials`)).body.includes(jwk.d));
    });

    it('with a key that is uploaded later', async () => {
      const page = await register('key', { client_name: 'Printer', key: 'upload' });
      assert.equal(page.status, 200, page.text);
      assert.equal((await registry().get(idIn(page))).metadata['token_endpoint_auth_method'], 'private_key_jwt');
    });

    it('is not made of what is wrong, and what was typed is still there', async () => {
      const { clients: before } = await registry().list();
      const wrong: Array<[kind: string, fields: Record<string, string>]> = [
        ['web', { client_name: ' ', redirect_uris: CALLBACK }],
        ['web', { client_name: 'Typed', redirect_uris: '' }],
        ['web', { client_name: 'Typed', redirect_uris: 'nowhere' }],
        ['web', { client_name: 'Typed', redirect_uris: 'http://shop.example/callback' }],
        ['app', { client_name: 'Typed', redirect_uris: 'javascript:alert(1)' }],
        ['key', { client_name: 'Typed', key: 'url', jwks_uri: '' }],
        ['service', { client_name: 'Typed', client_id: 'white\tspace' }],
      ];
      for (const [kind, fields] of wrong) {
        const page = await register(kind, fields);
        assert.equal(page.status, 400, JSON.stringify(fields));
        assert.match(page.text, /Nothing has been changed/);
        if (fields['client_name'] === 'Typed') assert.ok(page.body.includes('value="Typed"'));
      }
      const form = await at('/admin/clients/new?kind=service');
      assert.equal((await browser.submit(form, '/new', { client_name: 'X', tandem_consent: 'implicit' })).status, 400, 'an unknown field');
      assert.equal((await browser.submit(form, '/new', { client_name: 'X', 'grant:none:notes:read': 'on' })).status, 400, 'an unknown box');
      assert.equal((await browser.submit(form, '/new', { client_name: 'X', kind: 'root' })).status, 400, 'an unknown kind');
      assert.equal((await registry().list()).clients.length, before.length);
    });

    it('shows names as they are, and never as markup', async () => {
      const name = `<img src=x onerror=alert(1)>"'`;
      const page = await register('service', { client_name: name });
      const id = textOfId(page, 'client-id');
      for (const path of ['/admin/clients', `/admin/clients/${id}`, `/admin/clients/${id}/settings`, `/admin/clients/${id}/connect`, `/admin/clients/${id}/delete`]) {
        const { body } = await at(path);
        assert.ok(!body.includes('<img src=x'), path);
        assert.ok(body.includes('&lt;img src=x'), path);
      }
    });
  });

  it('are found by name and by id, page by page', async () => {
    for (let count = 0; count < 27; count += 1) await registry().create({ client_name: `Numbered ${count}`, redirect_uris: [CALLBACK] }, COMMAND_LINE);
    const seen = new Set<string>();
    let page = await at('/admin/clients?search=Numbered');
    const collect = () => [...page.body.matchAll(/>(Numbered \d+)</g)].forEach(([, name]) => seen.add(name!));
    collect();
    assert.equal(seen.size, 25);
    page = await browser.get(page.links.find((link) => link.includes('cursor='))!);
    collect();
    assert.equal(seen.size, 27);
    assert.match((await at('/admin/clients?search=nobody%20has%20this')).text, /No client has this/);
    assert.equal((await at('/admin/clients?cursor=%00')).status, 400);
  });

  it('are changed by what differs, and keep the rest', async () => {
    const { client } = await registry().create({ client_name: 'Before', redirect_uris: [CALLBACK], software_id: 'abc', tandem_resources: { [NOTES]: ['notes:read'] } }, COMMAND_LINE);
    const path = `/admin/clients/${client.clientId}/settings`;
    const form = await at(path);
    assert.match(fieldsOn(form, '/settings')['other']!, /"software_id": "abc"/);
    const saved = await browser.submit(form, '/settings', { client_name: 'After', tandem_level: '2', tandem_sector: 'house', tandem_attributes: 'name, email', other: '{ "software_version": "2" }' });
    assert.match(saved.text, /count from now on/, saved.text);
    const { metadata } = await registry().get(client.clientId);
    assert.deepEqual(
      ['client_name', 'tandem_level', 'tandem_sector', 'tandem_attributes', 'software_id', 'software_version', 'redirect_uris', 'tandem_resources'].map((name) => metadata[name]),
      ['After', 2, 'house', ['name', 'email'], undefined, '2', [CALLBACK], { [NOTES]: ['notes:read'] }],
    );
    const { events } = await tandem.t.audit.list({ clientId: client.clientId, name: 'client.updated' });
    assert.deepEqual(events[0]!.data['actor'], { kind: 'account', id: tandem.administrator.accountId });
    assert.equal((await browser.submit(await at(path), '/settings', {})).status, 200);
    assert.equal((await tandem.t.audit.list({ clientId: client.clientId, name: 'client.updated' })).events.length, events.length, 'a form without changes changes nothing');

    for (const fields of [{ redirect_uris: 'nowhere' }, { other: 'no json' }, { other: '[]' }, { other: '{"client_secret":"mine"}' }, { client_id: 'other' }, { 'grant_types:implicit': 'on' }]) {
      const page = await browser.submit(await at(path), '/settings', fields);
      assert.equal(page.status, 400, JSON.stringify(fields));
      assert.match(page.text, /Nothing has been changed/);
    }
    // What has no field of its own is mended where it was typed.
    const unknown = await browser.submit(await at(path), '/settings', { other: '{"shoe_size":43}' });
    assert.match(unknown.text, /there is no metadata "shoe_size"/);
    assert.match(unknown.body, /<textarea id="field-other"[^>]* aria-invalid="true"/);
    assert.deepEqual((await registry().get(client.clientId)).metadata, metadata);
  });

  it('may ask for what is ticked; what is taken away counts at once', async () => {
    const { id, secret } = await service('Ticked');
    const path = `/admin/clients/${encodeURIComponent(id)}/access`;
    let form = await at(path);
    assert.equal(fieldsOn(form, '/access')[box(form, 'notes:read')], 'on');
    await browser.submit(form, '/access', { [boxIn(form, 'notes:write')]: 'on' });
    assert.equal(await token(id, secret, 'notes:read notes:write'), 200);
    form = await at(path);
    await browser.submit(form, '/access', { [box(form, 'notes:read')]: '', [box(form, 'notes:write')]: '' });
    assert.equal((await registry().get(id)).metadata['tandem_resources'], undefined);
    assert.equal(await token(id, secret), 400);
    assert.match((await at(`/admin/clients/${encodeURIComponent(id)}`)).text, /no scope of any resource server/);
  });

  it('are deleted after a question, and stay so', async () => {
    const { id, secret } = await service('Doomed');
    const asked = await at(`/admin/clients/${encodeURIComponent(id)}/delete`);
    assert.match(asked.text, /Delete Doomed\?/);
    assert.equal(await token(id, secret), 200);
    const gone = await browser.submit(asked, '/delete');
    assert.match(gone.text, /The client is deleted/);
    assert.equal((await at(`/admin/clients/${encodeURIComponent(id)}`)).status, 404);
    assert.equal(await token(id, secret), 401);
    assert.equal((await browser.submit(asked, '/delete')).status, 404);
  });
});
