import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';
import { onEachDatabase } from '../support/databases.ts';
import { itWhere } from '../support/skip.ts';
import { countStatements } from '../support/statements.ts';
import { assertProblem, startEnrolment, type EnrolmentHarness } from './harness.ts';

const require = createRequire(import.meta.url);
const wasm = readFileSync(require.resolve('zxing-wasm/reader').replace(/cjs.reader.*/, 'reader/zxing_reader.wasm'));
prepareZXingModule({ overrides: { wasmBinary: wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength) as ArrayBuffer } });

const MINUTE = 60_000;

onEachDatabase('the enrolment API', (database) => {
  let t: EnrolmentHarness;

  beforeEach(async () => {
    t = await startEnrolment(database);
  });
  afterEach(() => t.close());

  const stateOf = async (id: string) => (await t.status(id)).json;
  const confirm = (enrolmentId: string, code: string, as = 'shop') => t.call('POST', '/omi/qr/enrol/confirm', { enrolmentId, code }, { as });
  const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0');
  const accountIdOf = async (subject: string) => ((await t.knex('tandem_subjects').where({ subject }).first()) as { account_id: string }).account_id;

  it('shows a QR code, tells how far the phone is, and takes its code', async () => {
    const account = await t.account('shop', 'ada@example.com');
    const answer = await t.call('POST', '/omi/qr/enrol', { account });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    const { qrCode, enrolmentId, enrolmentUri, expiresIn, interval, statusUri, confirmUri } = answer.json as Record<string, string>;
    const [found] = await readBarcodes(new Uint8Array(Buffer.from(qrCode!, 'base64')), { formats: ['QRCode'] });
    assert.equal(found?.text, enrolmentUri);
    assert.match(enrolmentUri!, new RegExp(`^${t.issuer}/e/1\\.[\\w-]{43}$`));
    assert.deepEqual([expiresIn, interval], [300, 1]);
    assert.equal(statusUri, `${t.issuer}/omi/qr/enrol/status?enrolmentId=${enrolmentId}`);
    assert.equal(confirmUri, `${t.issuer}/omi/qr/enrol/confirm`);

    const pending = await stateOf(enrolmentId!);
    assert.deepEqual(pending, { enrolmentId, status: 'pending', expiresIn: pending['expiresIn'], confirmCodeRequired: false });
    assert.ok(Number(pending['expiresIn']) > 290);

    // The phone reads the code, and names the account before it does anything.
    const ticket = enrolmentUri!.split('/e/1.')[1];
    const offer = await t.phone().post('/phone/enrolment/offer', JSON.stringify({ ticket }), 'application/json');
    assert.deepEqual(offer.json['account'], { label: 'ada@example.com' });
    assert.equal((await stateOf(enrolmentId!))['status'], 'scanned');
    assert.equal((await stateOf(enrolmentId!))['confirmCodeRequired'], false);

    const phone = t.phone();
    const { confirmCode } = await phone.enrol(enrolmentUri!, { name: 'Ada’s phone', platform: 'Firefox on Android' });
    const waiting = await stateOf(enrolmentId!);
    assert.equal(waiting['status'], 'scanned');
    assert.equal(waiting['confirmCodeRequired'], true);
    assert.equal(waiting['triesLeft'], 3);
    assert.deepEqual(waiting['device'], { name: 'Ada’s phone', platform: 'Firefox on Android', userVerifying: false });
    assert.equal((await phone.status()).state, 'pending', 'it can do nothing yet');

    const spaced = `${confirmCode.slice(0, 3)} ${confirmCode.slice(3)}`;
    const done = await confirm(enrolmentId!, spaced);
    assert.equal(done.status, 200);
    assert.equal(done.json['status'], 'enrolled');
    assert.equal((await stateOf(enrolmentId!))['status'], 'enrolled');
    assert.equal((await stateOf(enrolmentId!))['expiresIn'], 0);
    assert.equal((await phone.status()).state, 'active');

    const accountId = await accountIdOf(account);
    const events = (await t.t.audit.list({ accountId, name: 'device.*' })).events.map(({ name, clientId }) => [name, clientId]);
    assert.deepEqual(events.reverse(), [['device.enrolment_started', 'shop'], ['device.enrolled', 'shop'], ['device.confirmed', 'shop']]);
    const notice = await t.waitForNotice('device.confirmed');
    assert.equal(notice.accountId, accountId);
    assert.equal(JSON.stringify(notice).includes('127.0.0'), false, 'the address of the backend is not that of the person');
  });

  it('takes the question for the status as JSON and as a form', async () => {
    const { enrolmentId } = await t.start(await t.account());
    for (const [type, body] of [['application/json', JSON.stringify({ enrolmentId })], ['application/x-www-form-urlencoded', `enrolmentId=${enrolmentId}`]] as const) {
      t.clock.advance(1000);
      const answer = await t.call('POST', '/omi/qr/enrol/status', body, { headers: { 'content-type': type } });
      assert.equal(answer.status, 200, JSON.stringify(answer.json));
      assert.equal(answer.json['status'], 'pending');
    }
    assertProblem(await t.call('POST', '/omi/qr/enrol/status', `enrolmentId=${enrolmentId}&enrolmentId=x`, { headers: { 'content-type': 'application/x-www-form-urlencoded' } }), 400, 'invalid_request');
    assertProblem(await t.call('POST', '/omi/qr/enrol/status', { enrolmentId, more: 1 }), 400, 'invalid_request');
    assertProblem(await t.call('POST', '/omi/qr/enrol/status', `<x/>`, { headers: { 'content-type': 'application/xml' } }), 415, 'unsupported_media_type');
  });

  it('asks those who poll too fast to slow down, each enrolment by itself', async () => {
    const [one, two] = [await t.start(await t.account()), await t.start(await t.account())];
    const ask = (id: string) => t.call('GET', `/omi/qr/enrol/status?enrolmentId=${id}`);
    assert.equal((await ask(one.enrolmentId)).status, 200);
    assert.equal((await ask(two.enrolmentId)).status, 200);
    const fast = await ask(one.enrolmentId);
    assertProblem(fast, 429, 'slow_down');
    assert.equal(fast.headers.get('retry-after'), '1');
    assertProblem(await t.call('POST', '/omi/qr/enrol/status', { enrolmentId: one.enrolmentId }), 429, 'slow_down');
    t.clock.advance(1000);
    assert.equal((await ask(one.enrolmentId)).status, 200);
  });

  itWhere(database.name === 'sqlite', 'counted on SQLite alone', 'asks the database little for a poll, and no more often for a waiting phone than once', async () => {
    const counted = await countStatements(database);
    const own = await startEnrolment(counted);
    const account = await own.account();
    const { enrolmentId, enrolmentUri } = await own.start(account);
    const poll = async () => {
      const statements = counted.record();
      assert.equal((await own.status(enrolmentId)).status, 200);
      return statements().map((sql) => /from (\w+)/i.exec(sql)?.[1] ?? sql);
    };
    await poll();
    // The token, which may be a person's or a client's; and the enrolment.
    assert.deepEqual(await poll(), ['tandem_oidc', 'tandem_oidc', 'tandem_enrolments']);
    await own.phone().enrol(enrolmentUri);
    assert.deepEqual(await poll(), ['tandem_oidc', 'tandem_oidc', 'tandem_enrolments', 'tandem_devices']);
    await own.close();
  });

  it('ends with the third wrong code, and the phone with it', async () => {
    const account = await t.account();
    const { enrolmentId, enrolmentUri } = await t.start(account);
    assertProblem(await confirm(enrolmentId, '000000'), 422, 'invalid_code');
    const phone = t.phone();
    const { confirmCode } = await phone.enrol(enrolmentUri);
    for (const left of [2, 1, 0]) assert.equal(assertProblem(await confirm(enrolmentId, wrong(confirmCode)), 422, 'invalid_code')['tries_left'], left);
    const state = await stateOf(enrolmentId);
    assert.deepEqual([state['status'], state['reason'], state['device']], ['cancelled', 'wrong_codes', undefined]);
    assertProblem(await confirm(enrolmentId, confirmCode), 410, 'expired');
    assert.equal((await phone.status()).state, 'revoked');
    assert.ok(await t.start(account), 'another try is a new code');
  });

  it('expires after five minutes, and the code of a phone as well', async () => {
    const { enrolmentId, enrolmentUri } = await t.start(await t.account());
    t.clock.advance(5 * MINUTE);
    assert.equal((await stateOf(enrolmentId))['status'], 'expired');
    await assert.rejects(t.phone().enrol(enrolmentUri), { code: 'expired' });

    const late = await t.start(await t.account());
    const { confirmCode } = await t.phone().enrol(late.enrolmentUri);
    t.clock.advance(5 * MINUTE);
    assert.equal((await stateOf(late.enrolmentId))['status'], 'expired');
    assertProblem(await confirm(late.enrolmentId, confirmCode), 410, 'expired');
  });

  it('is cancelled by its client, and by the next one for the same account', async () => {
    const account = await t.account();
    const first = await t.start(account);
    const second = await t.start(account);
    assert.deepEqual([(await stateOf(first.enrolmentId))['status'], (await stateOf(first.enrolmentId))['reason']], ['cancelled', 'cancelled']);
    const phone = t.phone();
    await phone.enrol(second.enrolmentUri);
    const answer = await t.call('POST', '/omi/qr/enrol/cancel', { enrolmentId: second.enrolmentId });
    assert.deepEqual([answer.status, answer.json['status']], [200, 'cancelled']);
    assert.equal((await phone.status()).state, 'revoked');
    assert.equal((await t.call('POST', '/omi/qr/enrol/cancel', { enrolmentId: second.enrolmentId })).status, 200, 'once more changes nothing');
    await assert.rejects(t.phone().enrol(second.enrolmentUri), { code: 'expired' });
  });

  it('leaves an enrolled phone as it is when it is cancelled too late', async () => {
    const account = await t.account();
    const { enrolmentId, enrolmentUri } = await t.start(account);
    const phone = t.phone();
    await confirm(enrolmentId, (await phone.enrol(enrolmentUri)).confirmCode);
    assert.equal((await t.call('POST', '/omi/qr/enrol/cancel', { enrolmentId })).json['status'], 'enrolled');
    assert.equal((await phone.status()).state, 'active');
    assertProblem(await confirm(enrolmentId, '123456'), 409, 'already_claimed');
  });

  it('counts a phone that a client vouched for as level 1 for a day', async () => {
    const account = await t.account();
    await t.enrolled(account, 'shop', { userVerifying: true });
    const rows = () => t.knex('tandem_devices').where({ client_id: 'shop' }) as Promise<Array<{ capped_until: number; state: string }>>;
    const [row] = await rows();
    assert.equal(row?.state, 'active');
    const hours = (Number(row?.capped_until) - t.clock()) / 3_600_000;
    assert.ok(hours > 23 && hours <= 24, `${hours} h`);
  });
});
