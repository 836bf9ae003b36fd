import assert from 'node:assert/strict';
import { NOTICE_KINDS, noticeOf, type NoticeKind } from '../../src/notices/kinds.ts';
import { createWriting } from '../../src/notices/writing.ts';
import type { EventMap } from '../../src/lib/events.ts';
import { LANGUAGES } from '../../src/lib/views/catalogue.ts';
import { createViews } from '../../src/lib/views/views.ts';
import { elements, textOf } from '../support/html.ts';

const AT = Date.UTC(2026, 10, 22, 2, 15);
const address = '192.0.2.7';
const who = { accountId: 'ada', address };

/** What each event may carry, at least one of every way in which it is told. */
const EVENTS: { [N in NoticeKind]: Array<EventMap[N] & typeof who> } = {
  'device.confirmed': [false, true].map((afterUnprovenLoss) => ({
    ...who, enrolmentId: 'e', deviceId: 'd', name: 'Ada’s phone', userVerifying: true, cappedUntil: undefined, afterUnprovenLoss,
  })),
  'device.rekeyed': [{ ...who, deviceId: 'd', name: 'Ada’s phone' }],
  'device.revoked': [{ ...who, deviceId: 'd', reason: 'lost', by: 'account', proven: false }, { ...who, deviceId: 'd', reason: 'lost', by: 'account', name: 'Ada’s phone' }],
  'totp.activated': [{ ...who, authenticatorId: 'a', name: 'Aegis', by: 'account', first: true }],
  'totp.removed': [{ ...who, authenticatorId: 'a', name: 'Aegis', reason: 'account' }],
  'totp.guessed': [{ ...who, failures: 10 }],
  'totp.switched_off': [who],
  'recovery.used': [true, false].map((kept) => ({ ...who, left: 9, kept, sessionUid: undefined })),
  'recovery.codes_made': [{ ...who, count: 10 }],
  'second_factor.reset': [{ ...who, by: 'help desk: grace', authenticators: 2, phones: 1 }],
  'account.password_changed': [{ ...who, sessionUid: undefined }],
  'qr.locked': [{ ...who, seconds: 3600 }],
};

const write = createWriting({
  issuer: 'https://id.example.com/oidc',
  views: createViews({ issuer: 'https://id.example.com/oidc', theme: { name: 'Ada & <Söhne>' } }),
  home: '/account',
});
const notice = (kind: NoticeKind, payload: object, { locale, more = 0 }: { locale?: string; more?: number } = {}) => {
  const told = noticeOf(kind, payload);
  assert.ok(told, `${kind} is told`);
  const queued = { id: 'n', accountId: 'ada', attempts: 1, at: AT, more, ...told };
  return write(queued, { accountId: 'ada', label: 'ada@example.com', name: 'Ada', email: 'ada@example.com', locale });
};

describe('a notice', () => {
  it('is there for every kind, and no event without words', () => {
    assert.deepEqual(NOTICE_KINDS.toSorted(), Object.keys(EVENTS).sort());
    assert.equal(noticeOf('account.signed_in', who), undefined);
    assert.equal(noticeOf('constructor', who), undefined);
  });

  for (const kind of NOTICE_KINDS) {
    for (const locale of LANGUAGES) {
      it(`of ${kind} is written in ${locale}`, () => {
        for (const payload of EVENTS[kind]) {
          const { subject, text, html, ...rest } = notice(kind, payload, { locale });
          assert.equal(rest.locale, locale);
          assert.match(subject, /^\p{Lu}.{10,} – Ada & <Söhne>$/u);
          assert.match(html, new RegExp(`<html lang="${locale}">`));
          for (const part of [text, textOf(html)]) {
            assert.match(part, /2026/);
            assert.match(part, /02:15/);
            assert.match(part, /UTC/);
            assert.doesNotMatch(part, /undefined|null|\{\w+\}|NaN/);
            if ('name' in payload) assert.ok(part.includes(payload.name!));
          }
          assert.ok(text.includes('\nhttps://id.example.com/oidc/account\n'), 'the link stands on a line of its own');
          assert.deepEqual(elements(html, 'a').map((link) => link.get('href')), ['https://id.example.com/oidc/account']);
          assert.ok(html.includes('Ada &amp; &lt;Söhne&gt;'));
          assert.doesNotMatch(html, /<(img|script|style|link|iframe|object)|\s(style|on\w+|src|background)=/i, 'nothing is loaded, nothing runs');
        }
      });
    }
  }

  it('differs from language to language', () => {
    for (const kind of NOTICE_KINDS) {
      const subjects = LANGUAGES.map((locale) => notice(kind, EVENTS[kind][0]!, { locale }).subject);
      assert.equal(new Set(subjects).size, LANGUAGES.length, kind);
    }
  });

  it('writes dates as the reader’s region does, in English where the language is unknown', () => {
    assert.match(notice('account.password_changed', who, { locale: 'en-US' }).text, /Sunday, November 22, 2026/);
    assert.match(notice('account.password_changed', who, { locale: 'de-AT' }).text, /Sonntag, 22\. November 2026/);
    assert.match(notice('account.password_changed', who, { locale: 'tlh' }).text, /Your password was changed/);
    assert.match(notice('account.password_changed', who).text, /Your password was changed/);
  });

  it('tells the network address of what the account did, and not of who guesses or administers', () => {
    for (const kind of ['device.confirmed', 'device.revoked', 'totp.activated', 'totp.removed', 'recovery.used', 'recovery.codes_made', 'account.password_changed'] as const) {
      assert.ok(notice(kind, EVENTS[kind][0]!).text.includes(address), kind);
    }
    for (const kind of ['totp.guessed', 'totp.switched_off', 'second_factor.reset', 'qr.locked'] as const) {
      const { text, data } = notice(kind, EVENTS[kind][0]!);
      assert.ok(!text.includes(address) && !JSON.stringify(data).includes(address), kind);
    }
    assert.ok(notice('account.password_changed', { ...who, address: '2001:db8::1' }).text.includes('2001:db8:0:0::/64'));
    const forged = notice('account.password_changed', { ...who, address: 'call 555\n\nyour bank' });
    assert.equal(forged.data['network'], undefined, 'behind a proxy the address is what a header says');
  });

  it('leaves it to recovery and reset to tell what they end', () => {
    for (const by of ['recovery', 'reset', 'device', 'enrolment']) assert.equal(noticeOf('device.revoked', { ...who, deviceId: 'd', reason: 'lost', by } as never), undefined, by);
    assert.equal(noticeOf('device.revoked', { ...who, deviceId: 'd', reason: 'retired', by: 'account' } as never), undefined);
    for (const reason of ['recovery', 'reset']) assert.equal(noticeOf('totp.removed', { ...who, authenticatorId: 'a', name: 'x', reason } as never), undefined, reason);
  });

  it('says louder what a stranger with the password could have done', () => {
    const [usual, loud] = EVENTS['device.confirmed'].map((payload) => notice('device.confirmed', payload));
    assert.notEqual(loud!.subject, usual!.subject);
    assert.match(loud!.text, /act now/);
    assert.equal(loud!.data['afterLoss'], true);
  });

  it('counts what it stands for', () => {
    assert.match(notice('account.password_changed', who, { more: 7 }).text, /Again since then: 7 ×/);
    assert.equal(notice('account.password_changed', who, { more: 7 }).data['more'], 7);
    assert.doesNotMatch(notice('account.password_changed', who).text, /Again/);
  });

  it('keeps what somebody chose on its own line, and as text', () => {
    const name = '</td><script>alert(1)</script>\r\nBcc: x@evil.example\u2028<a href="https://evil.example">';
    const { subject, text, html } = notice('totp.activated', { ...EVENTS['totp.activated'][0]!, name });
    assert.ok(!subject.includes('evil'));
    assert.match(text, /^Authenticator app: <\/td><script>alert\(1\)<\/script> Bcc: x@evil\.example <a href=/m);
    assert.equal(elements(html, 'script').length, 0);
    assert.equal(elements(html, 'a').length, 1);
  });
});
