import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { admin, enrolment } from '../../src/index.ts';
import { authorizationUrl, signedInBrowser, typePassword } from '../oidc/helpers.ts';
import { onEachDatabase } from '../support/databases.ts';
import { createHttpBrowser, type HttpBrowser, type Page } from '../support/http-browser.ts';
import { TEST_CLIENTS } from '../support/tandem.ts';
import { asksForCode, FEATURES, startWithTotp, type TotpTandem } from '../totp/app.ts';
import { basic, clientsOf } from '../totp/two-call/harness.ts';

const SRC = new URL('../../src/', import.meta.url);

/** Every path that a room registers, read from the source so that none is forgotten. */
function registeredPaths(): string[] {
  const found = new Set(['/interaction/:uid', '/interaction/:uid/sign-in']);
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
    const text = readFileSync(new URL(file, SRC), 'utf8');
    const constants = new Map([...text.matchAll(/const (\w+) = ['`]([^'`]*)['`];/g)].map(([, name, value]) => [name!, value!]));
    const fill = (template: string) => {
      let path = template;
      for (let depth = 0; depth < 3; depth += 1) path = path.replace(/\$\{(\w+)\}/g, (all, name: string) => constants.get(name) ?? all);
      return path;
    };
    for (const [, literal, name = 'path'] of text.matchAll(/^\s*route\(router, \{ method: '\w+', path(?:: (?:['`]([^'`]+)['`]|(\w+))|(?=,))/gm)) {
      if (literal !== undefined || constants.has(name)) found.add(fill(literal ?? `\${${name}}`));
    }
  }
  return [...found];
}

const SEGMENTS = ['x', 'A'.repeat(43), 'a'.repeat(3000), '__proto__', '%00', '%ff', '..%2f..%2fetc', '1.AAAAAAAAAAAAAAAAAAAAAA.0.AAAAAAAAAAAAAAAAAAAAAA', '%F0%9F%92%A5'];
const QUERIES = ['', '?a=1&a=2', '?%00=%00&state=%00&done=%00', '?client_id=%00&response_type=code', '?client_id=rp&response_type=code&redirect_uri=%00&claims=5', '?id_token_hint=a.b.c&ui_locales=%00'];
const FIELDS = ['code=%00', 'code=1&code=2', 'email=%00&password=%00&name=%00', `email=${'a'.repeat(5000)}`, 'current=x&password=%00', '__proto__=1', 'name=%00', 'reason=lost&reason=x', 'email=a%00@example.com&password=x', 'email=a@example.com&code=%00&ticket=%00', 'code=123456&id=%00', 'made=1e400', 'proof=%00.x', 'keep=%00&code=AAAA-BBBB-CCCC-DDDD', '%%%=%&&&'];
const BODIES: ReadonlyArray<[type: string, body: string]> = [
  ['application/json', '{'],
  ['application/json', 'null'],
  ['application/json', '{"ticket":"\\u0000","__proto__":{"x":1}}'],
  ['application/jose', 'a.b.c'],
  ['application/jose', `${Buffer.from('{"alg":"none","typ":"x","kid":"\\u0000"}').toString('base64url')}.e30.AA`],
  ['application/jose+json', '{"payload":"","protected":"","signature":"","header":{"webauthn":5}}'],
  ['text/plain', 'x'],
  ['multipart/form-data; boundary=x', '--x'],
  ['application/x-www-form-urlencoded', 'grant_type=authorization_code&client_id=rp&client_secret=%00&code=%00&redirect_uri=%00'],
  ['application/x-www-form-urlencoded', 'grant_type=client_credentials&client_id=%00&token=%00&response_type=code'],
];

onEachDatabase('bad input', (database) => {
  let tandem: TotpTandem;
  /** Somebody who is signed in, and somebody who still owes a code. */
  let [browser, half]: HttpBrowser[] = [];
  /** The page at which each of them stands. */
  let requests: Array<readonly [HttpBrowser, Page]>;
  before(async () => {
    tandem = await startWithTotp(database, { features: [...FEATURES, enrolment(), admin()], clients: (issuer) => [...Object.values(TEST_CLIENTS), ...clientsOf(issuer)] });
    browser = await signedInBrowser(tandem, await tandem.registerAccount());
    const person = await tandem.registerAccount();
    await tandem.addApp(person.accountId);
    half = createHttpBrowser({ now: tandem.clock });
    await typePassword(half, await half.get(authorizationUrl(tandem)), person);
  });
  // What is sent may end the request that a page is of.
  beforeEach(async () => {
    const asked = await half!.get(authorizationUrl(tandem));
    assert.ok(asksForCode(asked), asked.text);
    requests = [[browser!, await browser!.get(authorizationUrl(tandem, { prompt: 'login' }))], [half!, asked]];
  });
  after(() => tandem.close());

  /** A mistake of the caller's, told in the shape of its protocol; or nothing wrong at all. */
  function check(answer: Page, what: string) {
    assert.ok(answer.status < 500, `${answer.status} ${what}: ${answer.text.slice(0, 200)}`);
    assert.doesNotMatch(answer.body, /^\s+at .+:\d+:\d+/m, what);
    const type = String(answer.headers['content-type']);
    if (answer.status >= 400 && answer.body && type.includes('json')) assert.equal(typeof answer.json()['error'], 'string', what);
  }

  const rows = async () => {
    const tables = ['tandem_accounts', 'tandem_devices', 'tandem_enrolments', 'tandem_transactions', 'tandem_two_call_tickets', 'tandem_recovery_codes'];
    return Promise.all(tables.map(async (table) => Number((await tandem.knex(table).count<Array<Record<string, unknown>>>({ count: '*' }))[0]!['count'])));
  };

  /** The address with its own uid, which the guard lets through, and with every hostile one. */
  function addresses(path: string, request: Page): string[] {
    if (!path.includes(':')) return [path];
    const uid = new URL(request.url).pathname.split('/')[2]!;
    const own = path.startsWith('/interaction/:uid') ? [path.replace(':uid', uid)] : [];
    return [...own, ...SEGMENTS.map((segment) => path.replace(/:\w+/g, segment))];
  }

  it('knows every path', () => {
    const paths = registeredPaths();
    assert.ok(paths.length > 40, String(paths.length));
    assert.deepEqual(paths.filter((path) => /[${]/.test(path)), []);
  });

  it('is sent to paths that are there', async () => {
    for (const path of registeredPaths()) {
      const answer = await browser!.send('PUT', tandem.url(path.replace(/:\w+/g, 'x')));
      assert.equal(answer.status, 405, path);
    }
  });

  for (const path of registeredPaths()) {
    it(`is no fault of the server at ${path}`, async () => {
      const before = await rows();
      // A client's credentials are for the API of clients; pages look at none.
      const authorization = basic('legacy');
      for (const [visitor, request] of path.startsWith('/interaction/') ? requests : requests.slice(0, 1)) {
        for (const address of addresses(path, request)) {
          const url = tandem.url(address);
          const short = address.slice(0, 80);
          for (const query of QUERIES) check(await visitor.get(url + query, { follow: false }), `GET ${short}${query}`);
          for (const method of ['HEAD', 'PUT', 'DELETE', 'OPTIONS']) check(await visitor.send(method, url), `${method} ${short}`);
          const csrf = request.forms[0]!.fields.find(([name]) => name === 'csrf')![1];
          const own = path.startsWith('/api/') ? '' : `csrf=${csrf}&`;
          const headers = { 'content-type': 'application/x-www-form-urlencoded', authorization };
          for (const fields of FIELDS) check(await visitor.post(url, own + fields, { headers, follow: false }), `POST ${short} ${fields.slice(0, 40)}`);
          for (const [contentType, body] of BODIES) check(await visitor.send('POST', url, body, { headers: { 'content-type': contentType, authorization } }), `POST ${short} ${body.slice(0, 40)}`);
        }
      }
      assert.deepEqual(await rows(), before);
    });
  }

  it('is no fault of the server at the endpoints of the provider', async () => {
    const discovery = (await browser!.get(tandem.url('/.well-known/openid-configuration'))).json<Record<string, string>>();
    const endpoints = Object.entries(discovery).flatMap(([name, value]) => (/(_endpoint|jwks_uri)$/.test(name) ? [value] : []));
    assert.ok(endpoints.length > 7);
    for (const url of endpoints) {
      for (const query of QUERIES) check(await browser!.get(url + query, { follow: false }), url + query);
      for (const [contentType, body] of BODIES) {
        for (const headers of [{}, { authorization: 'Basic %%%' }, { authorization: 'DPoP x', dpop: 'a.b.c' }, { authorization: `Basic ${Buffer.from('rp:%00').toString('base64')}` }]) {
          check(await browser!.send('POST', url, body, { headers: { 'content-type': contentType, ...headers } }), `POST ${url} ${body.slice(0, 40)}`);
        }
      }
    }
  });

  it('was never logged as an error', () => assert.deepEqual(tandem.errors, []));
});
