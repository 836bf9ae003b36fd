import assert from 'node:assert/strict';
import { onEachDatabase } from '../support/databases.ts';
import type { VirtualPhone } from '../support/virtual-phone.ts';
import { txOf, type News, type QrHarness, type WaitingPage } from './harness.ts';
import { underAttack } from './under-attack.ts';

onEachDatabase('attacks on a QR transaction', (database) => {
  let t: QrHarness;
  let phone: VirtualPhone;
  const { approved } = underAttack(database, (target) => {
    ({ t, phone } = target);
  });

  describe('frames', () => {
    it('go stale after ten seconds', async () => {
      const page = await t.waiting();
      const old = await page.frame();
      t.clock.advance(5_000);
      const current = await page.frame();
      assert.notEqual(old, current);
      t.clock.advance(5_000);
      await assert.rejects(phone.claim(old), { code: 'frame_stale' });
      assert.equal((await phone.claim(current)).tx, txOf(current));
    });

    it('cannot be made static, moved on, or altered', async () => {
      const page = await t.waiting();
      const link = await page.frame();
      const [, tx, n, mac] = /\/q\/1\.([\w-]{22})\.(\w+)\.([\w-]{22})$/.exec(link)!;
      const claims: Array<Record<string, unknown>> = [
        { tx, n: 's', mac }, { tx, n: Number(n) + 1, mac }, { tx, n: Number(n), mac: `${mac!.slice(0, -1)}${mac!.endsWith('A') ? 'B' : 'A'}` },
        { tx: 'A'.repeat(22), n: Number(n), mac },
      ];
      for (const claim of claims) {
        phone.tamper = { only: 'qr-claim+jwt', claims: (given) => ({ ...given, ...claim }) };
        await assert.rejects(phone.claim(link), { code: 'not_found' });
      }
      for (const claim of [{ n: -1 }, { n: '1' }, { n: 1.5 }, { tx: 7 }, { mac: null }, { user_code: 'BCDFGHJK' }]) {
        phone.tamper = { only: 'qr-claim+jwt', claims: (given) => ({ ...given, ...claim }) };
        await assert.rejects(phone.claim(link), { code: 'invalid_request' }, JSON.stringify(claim));
      }
      phone.tamper = {};
      assert.equal((await phone.claim(link)).tx, tx);
    });

    it('of a static transaction are static alone', async () => {
      const by = t.browser();
      const sheet = await by.submit(await t.authorize(by), '/qr/static');
      const link = sheet.links.find((each) => each.includes('/q/1.'))!;
      phone.tamper = { only: 'qr-claim+jwt', claims: (given) => ({ ...given, n: 0 }) };
      await assert.rejects(phone.claim(link), { code: 'not_found' });
      phone.tamper = {};
      t.clock.advance(121_000);
      await assert.rejects(phone.claim(link), { code: 'expired' });
    });

    it('need a ticket that this server signed, for this transaction, in time', async () => {
      const page = await t.waiting();
      const link = await page.frame();
      const other = await (await t.waiting()).frame();
      const opened = await t.browser().get(other);
      const cookie = String(opened.headers['set-cookie']).split(';')[0]!;
      const claimBy = async (with_: string) => {
        let body = '';
        phone.tamper = { only: 'qr-claim+jwt', claims: ({ n: _n, mac: _mac, ...claims }) => claims, body: (made) => ((body = made), `${made}x`) };
        await assert.rejects(phone.claim(link));
        phone.tamper = {};
        const answer = await fetch(`${t.issuer}/phone/transactions/claim`, { method: 'POST', headers: { 'content-type': 'application/jose', cookie: with_ }, body });
        return (await answer.json()) as { error?: string };
      };
      assert.equal((await claimBy(cookie)).error, 'not_found');
      assert.equal((await claimBy(cookie.replace(txOf(other), txOf(link)))).error, 'not_found');
      const right = String((await t.browser().get(link)).headers['set-cookie']).split(';')[0]!;
      t.clock.advance(61_000);
      assert.equal((await claimBy(right)).error, 'not_found');
    });
  });

  describe('decisions', () => {
    it('about other bytes or another client are refused, and leave the state', async () => {
      const page = await t.waiting();
      const claimed = await phone.claim(await page.frame());
      for (const change of [{ request_hash: 'A'.repeat(43) }, { request_hash: '' }, { client_id: 'strict' }]) {
        phone.tamper = { only: 'qr-decision+jwt', claims: (claims) => ({ ...claims, ...change }) };
        await assert.rejects(phone.decide(claimed, 'approve'), { code: 'invalid_signature' });
        await assert.rejects(phone.decide(claimed, 'deny'), { code: 'invalid_signature' });
      }
      phone.tamper = { only: 'qr-decision+jwt', claims: (claims) => ({ ...claims, nonce: 'A'.repeat(43) }) };
      await assert.rejects(phone.decide(claimed, 'approve'), { code: 'invalid_nonce' });
      phone.tamper = { only: 'qr-decision+jwt', claims: (claims) => ({ ...claims, decision: 'Approve' }) };
      await assert.rejects(phone.decide(claimed, 'approve'), { code: 'invalid_request' });
      phone.tamper = { only: 'qr-decision+jwt', key: phone.strangeKey() };
      await assert.rejects(phone.decide(claimed, 'approve'), { code: 'invalid_signature' });
      phone.tamper = {};
      assert.equal((await page.status()).json<News>().state, 'scanned');
      assert.equal((await phone.decide(claimed, 'approve')).state, 'approved');
    });

    it('count once: a replay is refused', async () => {
      const page = await t.waiting();
      await phone.approve(await page.frame());
      const { path, body, contentType } = phone.sent.at(-1)!;
      assert.equal((await phone.post(path, body, contentType)).json['error'], 'replayed');
    });

    it('of one transaction do not fit another', async () => {
      const first = await phone.claim(await (await t.waiting()).frame());
      const second = await phone.claim(await (await t.waiting()).frame());
      phone.tamper = { only: 'qr-decision+jwt', claims: (claims) => ({ ...claims, tx: second.tx }) };
      await assert.rejects(phone.decide(first, 'approve'), { code: 'invalid_nonce' });
      phone.tamper = {};
    });

    it('come from the phone that claimed, and a second phone is too late', async () => {
      const { phone: other } = await t.person();
      const page = await t.waiting();
      const link = await page.frame();
      const claimed = await phone.claim(link);
      await assert.rejects(other.claim(link), { code: 'already_claimed' });
      await assert.rejects(other.decide({ ...claimed, account: other.account }, 'approve'), { code: 'not_found' });
      assert.equal((await phone.decide(claimed, 'approve')).state, 'approved');
      await assert.rejects(other.claim(link), { code: 'already_claimed' });
    });

    it('are kept as the receipt, with the bytes that were signed', async () => {
      const { link } = await approved();
      const row = await t.row(link);
      assert.equal(row['receipt'], phone.sent.at(-1)!.body);
      const request = JSON.parse(Buffer.from(row['request'] as string, 'base64url').toString()) as { tx: string };
      assert.equal(request.tx, txOf(link));
    });

    it('by the presence key do not reach level 2; by the user-verifying key they do', async () => {
      const page = await t.waiting(undefined, { acr_values: 'urn:tandem:acr:2' });
      const claimed = await phone.claim(await page.frame());
      assert.equal(claimed.request.level, '2');
      const presence = { ...claimed, request: { ...claimed.request, level: '1' as const } };
      await assert.rejects(phone.decide(presence, 'approve'), { code: 'uv_required' });
      assert.equal((await page.status()).json<News>().state, 'scanned');
      assert.equal((await phone.decide(presence, 'deny')).state, 'denied');

      const { phone: verifying, accountId } = await t.person({ userVerifying: true });
      const strong = await t.waiting(undefined, { acr_values: 'urn:tandem:acr:2' });
      const taken = await verifying.claim(await strong.frame());
      // A first phone counts as level 1 for a day.
      await assert.rejects(verifying.decide(taken, 'approve'), { code: 'uv_required' });
      await t.knex('tandem_devices').where({ account_id: accountId }).update({ capped_until: null });
      const { confirmCode } = await verifying.decide(taken, 'approve');
      await strong.post('/qr/confirm', { code: confirmCode! });
      assert.match((await strong.redeem()).url, /\/cb\?code=/);
    });
  });

  describe('a phone that is revoked', () => {
    async function revoked(until: (victim: VirtualPhone, page: WaitingPage) => Promise<unknown>) {
      const { phone: victim } = await t.person();
      const page = await t.waiting();
      await until(victim, page);
      await victim.retire();
      const news = (await page.status()).json<News>();
      return { page, news, victim };
    }

    it('cancels what it claimed', async () => {
      const { news, page } = await revoked(async (victim, waits) => victim.claim(await waits.frame()));
      assert.deepEqual([news.state, news.reason], ['cancelled', 'revoked']);
      assert.equal((await page.redeem()).status, 410);
    });

    it('cancels what it approved, code typed or not', async () => {
      const typed = await revoked(async (victim, waits) => {
        const { confirmCode } = await victim.approve(await waits.frame());
        await waits.post('/qr/confirm', { code: confirmCode! });
      });
      assert.deepEqual([typed.news.state, typed.news.reason], ['cancelled', 'revoked']);
      assert.equal((await typed.page.redeem()).status, 410);
      const untyped = await revoked(async (victim, waits) => victim.approve(await waits.frame()));
      assert.deepEqual([untyped.news.state, untyped.news.reason], ['cancelled', 'revoked']);
    });

    it('claims and decides no more, even if its row is changed behind our back', async () => {
      const { phone: victim } = await t.person();
      const page = await t.waiting();
      const claimed = await victim.claim(await page.frame());
      await t.knex('tandem_devices').where({ id: victim.account.deviceId }).update({ state: 'revoked' });
      await assert.rejects(victim.decide(claimed, 'approve'), { code: 'device_revoked' });
      await assert.rejects(victim.claim(await (await t.waiting()).frame()), { code: 'device_revoked' });
      await t.knex('tandem_devices').where({ id: victim.account.deviceId }).update({ state: 'active' });
      const { confirmCode } = await victim.decide(claimed, 'approve');
      await page.post('/qr/confirm', { code: confirmCode! });
      await t.knex('tandem_devices').where({ id: victim.account.deviceId }).update({ state: 'revoked' });
      assert.equal((await page.redeem()).status, 403);
    });
  });

  it('at a step-up only the account that is signed in may approve', async () => {
    const { phone: own, desk } = await t.person();
    const page = await t.waiting(desk, { acr_values: 'urn:tandem:acr:1:qr' });
    const link = await page.frame();
    await assert.rejects(phone.claim(link), { code: 'wrong_account' });
    assert.equal((await page.status()).json<News>().state, 'pending');
    const claimed = await own.claim(link);
    assert.equal(claimed.request.purpose, 'step-up');
  });
});

