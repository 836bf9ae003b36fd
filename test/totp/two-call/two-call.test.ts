import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Provider } from 'oidc-provider';
import { answerOf, authorizationUrl, payloadOf, tokensByCode, typePassword } from '../../oidc/helpers.ts';
import { onEachDatabase } from '../../support/databases.ts';
import { createHttpBrowser } from '../../support/http-browser.ts';
import { codeOf, itWithOathtool, oathtool, wrongCodeOf } from '../../support/otp.ts';
import { basic, clientsOf, ENROL, otpauthOf, pick, startTwoCall, textOf, ticketOf, type TwoCallHarness, VALIDATE } from './harness.ts';

const MINUTE = 60_000;

onEachDatabase('the two-call API', (database) => {
  let tandem: TwoCallHarness;
  before(async () => {
    tandem = await startTwoCall(database, { totp: { groups: async (accountId, clientId) => [`of ${clientId}`, accountId.length > 10 ? 'people' : 'others'] } });
  });
  after(() => tandem.close());
  afterEach(() => assert.deepEqual(tandem.errors, []));

  const verified = (token: string) => jwtVerify(token, createRemoteJWKSet(new URL(tandem.url('/jwks'))), { issuer: tandem.issuer, audience: 'legacy', typ: 'at+jwt', currentDate: new Date(tandem.clock()) });

  it('takes a service from password to token, first by QR code and then by code alone', async () => {
    const person = await tandem.registerAccount({ email: 'Ada@example.com' });
    const png = await tandem.qrCode({ email: person.email, password: person.password });
    assert.equal(png.status, 200);
    assert.equal(png.headers.get('content-type'), 'image/png');
    assert.equal(png.headers.get('cache-control'), 'no-store');
    const ticket = ticketOf(png);
    const size = Buffer.from(await png.clone().arrayBuffer()).readUInt32BE(16);
    assert.ok(size >= 300, `${size} pixels`);
    const { label, secret } = otpauthOf(await textOf(png));
    assert.match(label, /Ada@example\.com$/);

    const first = await tandem.validate({ email: 'ada@EXAMPLE.com', code: codeOf(secret, tandem.clock), ticket });
    assert.equal(first.status, 200);
    assert.equal(first.headers.get('content-type'), 'application/jwt');
    assert.equal(first.headers.get('cache-control'), 'no-store');
    const { payload, protectedHeader } = await verified(await first.text());
    assert.deepEqual({ alg: protectedHeader.alg, typ: protectedHeader.typ }, { alg: 'RS256', typ: 'at+jwt' });
    assert.ok(protectedHeader.kid);
    const { iat, exp, jti, sub, auth_time: authTime, ...claims } = payload;
    assert.deepEqual(claims, {
      iss: tandem.issuer,
      aud: 'legacy',
      client_id: 'legacy',
      upn: 'Ada@example.com',
      groups: ['of legacy', 'people'],
      acr: 'urn:tandem:acr:2',
      amr: ['pwd', 'otp', 'mfa'],
    });
    assert.equal(exp! - iat!, 300);
    assert.equal(authTime, iat);
    assert.match(jti!, /^[\da-f-]{36}$/);
    assert.ok(!JSON.stringify(payload).includes(person.accountId), 'the account id stays inside');

    tandem.clock.advance(MINUTE);
    const second = await tandem.qrCode({ email: person.email, password: person.password });
    assert.equal(second.status, 409);
    assert.match(second.headers.get('content-type')!, /^application\/json/);
    const { expires_in: expiresIn, ...way } = (await second.json()) as { expires_in: number; [name: string]: unknown };
    assert.ok(expiresIn > 280 && expiresIn <= 300, String(expiresIn));
    assert.deepEqual(way, {
      error: 'conflict',
      error_description: 'the account has an authenticator app; send its code',
      ticket: ticketOf(second),
      validate_url: tandem.url('/api/users/google/2FAuth/validate'),
      account_url: tandem.url('/account'),
    });
    const again = await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket: ticketOf(second) });
    const later = await verified(await again.text());
    assert.equal(later.payload.sub, sub);
    assert.notEqual(later.payload.jti, jti);
  });

  itWithOathtool('takes the codes of another program', async () => {
    const person = await tandem.registerAccount();
    const png = await tandem.qrCode({ email: person.email, password: person.password });
    const { secret } = otpauthOf(await textOf(png));
    const code = await oathtool(secret, Math.floor(tandem.clock() / 1000));
    assert.equal((await tandem.validate({ email: person.email, code, ticket: ticketOf(png) })).status, 200);
  });

  it('gives the subject that the same client sees in ID tokens, and another client another', async () => {
    const person = await tandem.registerAccount();
    const { secret, token } = await tandem.enrol(person);
    const subject = (await verified(token)).payload.sub;
    const stranger = await tandem.registerAccount();
    const own = await tandem.enrol(stranger, 'other');
    assert.notEqual(payloadOf(own.token)['sub'], subject);
    tandem.clock.advance(MINUTE);
    const other = await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket: await tandem.ticket(person, 'other') }, 'other');
    assert.notEqual(payloadOf(await other.text())['sub'], subject);
  });

  it('gives the subject of an ID token of that client', async () => {
    const person = await tandem.registerAccount();
    const clients = { ...tandem.clients, legacy: { client_secret: Buffer.from(basic('legacy').slice(6), 'base64').toString().split(':')[1]! } };
    const { json } = await tokensByCode({ ...tandem, clients } as never, createHttpBrowser(), person, { client_id: 'legacy' });
    const { token } = await tandem.enrol(person);
    assert.equal(payloadOf(token)['sub'], payloadOf(json['id_token'])['sub']);
  });

  it('shows the recovery codes that come with the app at the next sign-in, once, before it goes on', async () => {
    const person = await tandem.registerAccount();
    const { secret } = await tandem.enrol(person);
    const signIn = async () => {
      const browser = createHttpBrowser();
      const page = await typePassword(browser, await browser.get(authorizationUrl(tandem, { client_id: 'legacy' })), person);
      tandem.clock.advance(MINUTE);
      return { browser, page: await browser.submit(page, '/totp', { code: codeOf(secret, tandem.clock) }) };
    };
    const { browser, page } = await signIn();
    const codes = page.body.match(/<code>[\w-]{19}<\/code>/g) ?? [];
    assert.equal(new Set(codes).size, 10, page.text);
    assert.ok(answerOf(await browser.submit(page, '/continue')).get('code'));
    assert.ok(answerOf((await signIn()).page).get('code'), 'the second time nothing stands between');
  });

  it('is verified by a library that is not jose', async () => {
    const { token } = await tandem.enrol(await tandem.registerAccount());
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const { keys } = (await (await fetch(tandem.url('/jwks'))).json()) as { keys: Array<{ kid: string; kty: string }> };
    const key = createPublicKey({ key: keys.find((each) => each.kid === kid && each.kty === 'RSA') as never, format: 'jwk' });
    assert.ok(verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')));
    const folder = mkdtempSync(join(tmpdir(), 'tandem-jwt-'));
    try {
      writeFileSync(join(folder, 'key.pem'), key.export({ type: 'spki', format: 'pem' }));
      writeFileSync(join(folder, 'sig'), Buffer.from(signature, 'base64url'));
      writeFileSync(join(folder, 'text'), `${header}.${payload}`);
      const said = execFileSync('openssl', ['dgst', '-sha256', '-verify', join(folder, 'key.pem'), '-signature', join(folder, 'sig'), join(folder, 'text')], { encoding: 'utf8' });
      assert.match(said, /Verified OK/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('signs with the key in use after a rotation, and what was signed before still verifies', async () => {
    const rotating = await startTwoCall(database);
    try {
      const person = await rotating.registerAccount();
      const { secret, token } = await rotating.enrol(person);
      const kid = (jwt: string) => (JSON.parse(Buffer.from(jwt.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid;
      await rotating.t.keys.rotate({ now: true });
      await rotating.t.keys.refresh();
      const provider = new Provider(rotating.issuer, rotating.t.configure({ clients: clientsOf(rotating.issuer) }));
      rotating.t.attach(provider);
      rotating.clock.advance(MINUTE);
      const next = await rotating.validate({ email: person.email, code: codeOf(secret, rotating.clock), ticket: await rotating.ticket(person) });
      const active = (await rotating.t.keys.list()).find(({ purpose, state }) => purpose === 'RS256' && state === 'active')!.kid;
      const signedBy = kid(await next.text());
      assert.equal(signedBy, active);
      assert.notEqual(signedBy, kid(token));
      const published = (await (await fetch(rotating.url('/jwks'))).json()) as { keys: Array<{ kid: string }> };
      for (const each of [signedBy, kid(token)]) assert.ok(published.keys.some((key) => key.kid === each), each);
    } finally {
      await rotating.close();
    }
  });

  it('answers in JSON or as plain text where Accept asks for that', async () => {
    const person = await tandem.registerAccount();
    const { secret } = await tandem.enrol(person);
    const types: Array<[accept: string, type: RegExp]> = [
      ['application/json', /^application\/json/],
      ['application/json, text/plain, */*', /^application\/json/],
      ['text/plain', /^text\/plain/],
      ['*/*', /^application\/jwt$/],
      ['image/webp', /^application\/jwt$/],
    ];
    for (const [accept, type] of types) {
      tandem.clock.advance(MINUTE);
      const answer = await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket: await tandem.ticket(person) }, 'legacy', { accept });
      assert.equal(answer.status, 200, accept);
      assert.match(answer.headers.get('content-type')!, type, accept);
      const text = await answer.text();
      const token = text.startsWith('{') ? (JSON.parse(text) as { token: string }).token : text;
      await verified(token);
    }
  });

  it('takes the right code after a wrong one, with the same ticket', async () => {
    const person = await tandem.registerAccount();
    const png = await tandem.qrCode(pick(person));
    const ticket = ticketOf(png);
    const { secret } = otpauthOf(await textOf(png));
    assert.equal((await tandem.validate({ email: person.email, code: wrongCodeOf(secret, tandem.clock), ticket })).status, 401);
    assert.equal((await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket })).status, 200);
  });

  it('continues an enrolment for the cookie of its ticket, and begins anew for anybody else', async () => {
    const person = await tandem.registerAccount();
    const one = await tandem.qrCode(pick(person));
    const cookie = `tandem-2fa=${ticketOf(one)}`;
    const seed = await textOf(one);
    const two = await tandem.qrCode(pick(person), 'legacy', { cookie });
    assert.notEqual(ticketOf(two), ticketOf(one));
    assert.equal(await textOf(two), seed);
    assert.notEqual(await textOf(await tandem.qrCode(pick(person), 'other', { cookie })), seed, 'the ticket is of another client');
    assert.notEqual(await textOf(await tandem.qrCode(pick(person), 'legacy', { cookie })), seed, 'that enrolment is over');
  });

  it('takes the ticket from its cookie, and the field before it', async () => {
    const person = await tandem.registerAccount();
    const { secret } = await tandem.enrol(person);
    tandem.clock.advance(MINUTE);
    const answer = await tandem.qrCode(pick(person));
    const [cookie = ''] = answer.headers.getSetCookie();
    assert.equal(cookie, `tandem-2fa=${ticketOf(answer)}; Path=/; HttpOnly; SameSite=Strict; Max-Age=300`);
    const header = { cookie: cookie.split(';')[0]! };
    const code = codeOf(secret, tandem.clock);
    assert.equal((await tandem.validate({ email: person.email, code, ticket: 'x'.repeat(43) }, 'legacy', header)).status, 401, 'the field goes first');
    const done = await tandem.validate({ email: person.email, code }, 'legacy', header);
    assert.equal(done.status, 200);
    assert.match(done.headers.getSetCookie()[0]!, /^tandem-2fa=; .*Max-Age=0$/);
  });

  it('lets a client with tokens of its own call by them', async () => {
    const person = await tandem.registerAccount();
    const bearer = async (scope: string) => {
      const answer = await fetch(tandem.url('/token'), {
        method: 'POST',
        headers: { authorization: basic('other') },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope, resource: `${tandem.issuer}/api` }),
      });
      const { access_token: token } = (await answer.json()) as { access_token: string };
      return { authorization: `Bearer ${token}` };
    };
    const png = await tandem.qrCode(pick(person), await bearer(ENROL));
    assert.equal(png.status, 200);
    const { secret } = otpauthOf(await textOf(png));
    const fields = { email: person.email, code: codeOf(secret, tandem.clock), ticket: ticketOf(png) };
    assert.equal((await tandem.validate(fields, await bearer(ENROL))).status, 403);
    assert.equal((await tandem.validate(fields, 'legacy')).status, 401, 'the ticket is of the client other');
    assert.equal((await tandem.validate(fields, await bearer(VALIDATE))).status, 200);
  });

  it('works on for whoever has typed the first code on a page instead', async () => {
    const person = await tandem.registerAccount();
    const png = await tandem.qrCode(pick(person));
    const meanwhile = await tandem.qrCode(pick(person), 'legacy', { cookie: `tandem-2fa=${ticketOf(png)}` });
    const { secret } = otpauthOf(await textOf(png));
    assert.equal((await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket: ticketOf(meanwhile) })).status, 200);
    tandem.clock.advance(MINUTE);
    assert.equal((await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket: ticketOf(png) })).status, 200);
  });

  it('writes both calls into the audit log, and no secret into the database', async () => {
    const person = await tandem.registerAccount();
    const png = await tandem.qrCode(pick(person));
    const ticket = ticketOf(png);
    const { secret } = otpauthOf(await textOf(png));
    const dump = JSON.stringify([await tandem.knex('tandem_two_call_tickets'), await tandem.knex('tandem_events')]);
    assert.ok(!dump.includes(ticket) && !dump.includes(secret));
    await tandem.validate({ email: person.email, code: codeOf(secret, tandem.clock), ticket });
    const { events } = await tandem.t.audit.list({ accountId: person.accountId });
    const calls = events.filter(({ name }) => name.startsWith('two_call.'));
    assert.deepEqual(calls.map(({ name, clientId, data }) => [name, clientId, data['activated']]), [
      ['two_call.signed_in', 'legacy', true],
      ['two_call.started', 'legacy', undefined],
    ]);
    assert.equal(calls[0]!.data['authenticatorId'], calls[1]!.data['authenticatorId']);
    assert.ok(calls.every(({ address }) => address !== undefined));
  });

  it('forgets tickets that have run out', async () => {
    const person = await tandem.registerAccount();
    await tandem.qrCode(pick(person));
    tandem.clock.advance(20 * MINUTE);
    await tandem.t.sweep();
    assert.deepEqual(await tandem.knex('tandem_two_call_tickets').where({ account_id: person.accountId }), []);
  });
});
