import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatLink, parseCode, parseLink } from '../../src/phone/index.ts';
import { base64url, fromBase64url } from '../../src/phone/sdk/platform.ts';
import { code, MAC, TICKET, TX } from './scripted-server.ts';

describe('the phone SDK: links', () => {
  it('reads a rotating frame, a static one and an enrolment, mounted or not', () => {
    for (const issuer of ['https://id.example.com', 'https://example.com/oidc', 'http://localhost:3000', 'http://127.0.0.1:1/a', 'http://[::1]:80']) {
      assert.deepEqual(parseLink(` ${issuer}/q/1.${TX}.7.${MAC}\n`), { kind: 'sign-in', issuer, tx: TX, n: 7, mac: MAC });
      assert.deepEqual(parseLink(`${issuer}/q/1.${TX}.s.${MAC}`), { kind: 'sign-in', issuer, tx: TX, n: 's', mac: MAC });
      assert.deepEqual(parseLink(`${issuer}/e/1.${TICKET}`), { kind: 'enrolment', issuer, ticket: TICKET });
    }
  });

  for (const text of [
    '',
    'hello',
    `https://id.example.com/q/2.${TX}.7.${MAC}`,
    `https://id.example.com/q/1.${TX}.07.${MAC}`,
    `https://id.example.com/q/1.${TX}.-1.${MAC}`,
    `https://id.example.com/q/1.${TX}.7.${MAC}?x=1`,
    `https://id.example.com/q/1.${TX}.7.${MAC}x`,
    `https://id.example.com/e/1.${TICKET}A`,
    `http://id.example.com/q/1.${TX}.7.${MAC}`,
    `http://localhost.example.com/q/1.${TX}.7.${MAC}`,
    `http://127.0.0.1.example.com/e/1.${TICKET}`,
    `javascript://id.example.com/q/1.${TX}.7.${MAC}`,
    `https://a.example https://id.example.com/q/1.${TX}.7.${MAC}`,
  ]) {
    it(`refuses ${JSON.stringify(text.replace(TX, '…').replace(MAC, '…').replace(TICKET, '…'))}`, () => {
      assert.throws(() => parseLink(text), code('invalid_link'));
    });
  }

  it('writes what it reads', () => {
    const text = `https://id.example.com/q/1.${TX}.12.${MAC}`;
    assert.equal(formatLink(parseLink(text)), text);
  });

  it('reads a typed code however it is typed', () => {
    for (const typed of ['BCDFGHJK', 'bcdf-ghjk', ' bcdf ghjk ', 'BCDF–GHJK', 'b.c.d.f.g.h.j.k']) {
      assert.deepEqual(parseCode(typed), { kind: 'code', userCode: 'BCDFGHJK' });
    }
    for (const typed of ['', 'BCDFGHJ', 'BCDFGHJKL', 'ABCDFGHJ', 'BCDF1HJK']) assert.throws(() => parseCode(typed), code('invalid_link'));
  });
});

describe('the phone SDK: base64url', () => {
  it('agrees with Node for any bytes, both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = Buffer.from(bytes).toString('base64url');
        assert.equal(base64url(bytes), text);
        assert.deepEqual(Buffer.from(fromBase64url(text)), Buffer.from(bytes));
      }),
    );
  });

  it('refuses what is not canonical', () => {
    for (const text of ['A', 'AB', 'AAB', 'AA==', 'A+/_', 'AAAAA', 'ä']) assert.throws(() => fromBase64url(text), SyntaxError, text);
  });
});
