import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser } from '../support/http-browser.ts';
import { API, type TestTandem } from '../support/tandem.ts';
import { answerOf, authorizationUrl, payloadOf, signedInBrowser, startWithPerson, tokenRequest, tokensByCode, type Person } from './helpers.ts';

onEachDatabase('tokens, and the pages of the provider', (database) => {
  let tandem: TestTandem;
  let person: Person;
  startWithPerson(database, (started, registered) => {
    tandem = started;
    person = registered;
  });

  describe('client credentials', () => {
    const grant = (form: Record<string, string>) => tokenRequest(tandem, 'service', { grant_type: 'client_credentials', ...form });

    for (const [title, form, error] of [
      ['an unknown scope', { scope: 'fly' }, 'invalid_scope'],
      ['a scope of people', { scope: 'openid' }, 'invalid_scope'],
      ['a scope that the client was not given', { scope: 'read write', resource: API }, 'invalid_scope'],
      ['an unknown resource', { scope: 'read', resource: 'https://other.example' }, 'invalid_target'],
    ] as const) {
      it(`refuse ${title}`, async () => {
        const { status, json } = await grant(form);
        assert.deepEqual([status, json['error']], [400, error]);
      });
    }

    it('give what is granted', async () => {
      assert.equal((await grant({ scope: 'read', resource: API })).json['scope'], 'read');
    });
  });

  describe('tokens', () => {
    it('of one client are nothing to another', async () => {
      const { json } = await tokensByCode(tandem, createHttpBrowser(), person, { scope: 'openid' });
      const token = json['access_token'] as string;
      const other = await tokenRequest(tandem, 'house', { token }, '/token/introspection');
      assert.deepEqual(other.json, { active: false });
      assert.equal((await tokenRequest(tandem, 'house', { token }, '/token/revocation')).status, 400);
      assert.equal((await tokenRequest(tandem, 'spa', { token }, '/token/revocation')).status, 200);
      assert.equal((await tokenRequest(tandem, 'rp', { token }, '/token/introspection')).json['active'], true);
    });

    it('are revoked with an answer that JSON clients can read', async () => {
      const { json } = await tokensByCode(tandem, createHttpBrowser(), person, { scope: 'openid' });
      const revoked = await tokenRequest(tandem, 'rp', { token: json['access_token'] as string }, '/token/revocation');
      assert.equal(revoked.status, 200);
      assert.deepEqual(revoked.json, {});
      assert.match(revoked.headers.get('content-type')!, /application\/json/);
    });

    it('name the person by another subject at each site, and by the same one every time', async () => {
      const subject = async (clientId: string) => payloadOf((await tokensByCode(tandem, createHttpBrowser(), person, { client_id: clientId })).json['id_token'])['sub'];
      const [atRp, atHouse] = [await subject('rp'), await subject('house')];
      assert.notEqual(atRp, atHouse);
      assert.equal(await subject('rp'), atRp);
      assert.ok(![atRp, atHouse].includes(person.accountId));
      assert.match(String(atRp), /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    });
  });

  describe('a forged Host', () => {
    it('ends in no URL of the provider', async () => {
      const forged = { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' };
      const browser = createHttpBrowser({ headers: forged });
      const discovery = await browser.get(tandem.url('/.well-known/openid-configuration'));
      const page = await browser.get(authorizationUrl(tandem), { follow: false });
      const error = await browser.get(tandem.url('/auth?client_id=nobody'));
      const logout = await browser.get(tandem.url('/session/end'));
      for (const { body, headers } of [discovery, page, error, logout]) {
        assert.ok(!body.includes('evil.example') && !JSON.stringify(headers).includes('evil.example'));
      }
      assert.ok(page.headers.location!.startsWith(`${tandem.issuer}/interaction/`));
    });
  });

  describe('pages of the provider', () => {
    it('have headers that keep others out', async () => {
      const browser = await signedInBrowser(tandem, person);
      const pages = [await browser.get(tandem.url('/auth?client_id=nobody')), await browser.get(tandem.url('/session/end')), await browser.get(tandem.url('/session/end/success')), await browser.get(authorizationUrl(tandem))];
      for (const { headers, body } of pages) {
        assert.match(headers['content-security-policy'] as string, /default-src 'none'.*frame-ancestors 'none'/);
        assert.equal(headers['x-content-type-options'], 'nosniff');
        assert.match(headers['cache-control']!, /no-store/);
        assert.ok(headers['referrer-policy']);
        assert.match(body, /<html lang="en">/);
        assert.ok(!/<style|<script(?! type="module" src=)|https?:\/\/fonts/.test(body), body);
      }
    });

    it('show what a request said only as text', async () => {
      const page = await createHttpBrowser().get(tandem.url(`/auth?client_id=${encodeURIComponent('<script>alert(1)</script>')}&ui_locales=de`));
      assert.equal(page.status, 400);
      assert.ok(!page.body.includes('<script>alert'));
      assert.match(page.body, /<html lang="de">/);
    });

    it('lead on to the account where they are no one’s way back', async () => {
      const browser = createHttpBrowser();
      for (const path of ['/auth?client_id=nobody', '/session/end/success', '/interaction/none']) {
        const page = await browser.get(tandem.url(path));
        assert.ok(page.links.includes(tandem.url('/account')), `${path}: ${page.links.join(' ')}`);
      }
    });

    it('submit themselves only by the script that the policy names', async () => {
      const page = await createHttpBrowser().get(tandem.url('/session/end'));
      assert.match(page.headers['content-security-policy'] as string, /script-src 'self' 'sha256-/);
    });

    it('say in what language and encoding they are, also those of the library', async () => {
      const page = await createHttpBrowser().get(tandem.url('/session/end'));
      assert.match(page.body, /<html lang="en">\s*<head>\s*<meta charset="utf-8">/);
    });

    it('leave keys and discovery to be kept for a while, and nothing else', async () => {
      for (const path of ['/jwks', '/.well-known/openid-configuration']) {
        const { headers } = await fetch(tandem.url(path));
        assert.equal(headers.get('cache-control'), 'public, max-age=600');
        assert.equal(headers.get('content-security-policy'), null);
        assert.equal(headers.get('x-content-type-options'), 'nosniff');
      }
      assert.equal((await tokenRequest(tandem, 'rp', { grant_type: 'nonsense' })).headers.get('cache-control'), 'no-store');
    });

    it('sign out of everything, after a question', async () => {
      const browser = await signedInBrowser(tandem, person);
      const page = await browser.get(tandem.url('/session/end?client_id=rp&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fout'));
      assert.match(page.text, /Sign out\?/);
      assert.equal((await browser.submit(page, 'op.logoutForm', { logout: 'yes' })).url, 'http://localhost:1/out');
      assert.equal(answerOf(await browser.get(authorizationUrl(tandem, { client_id: 'house', prompt: 'none' }))).get('error'), 'login_required');
      const elsewhere = await browser.get(tandem.url('/session/end?client_id=rp&post_logout_redirect_uri=https%3A%2F%2Fevil.example'));
      assert.equal(elsewhere.status, 400);
    });
  });
});
