import assert from 'node:assert/strict';
import { networkOf } from '../../src/lib/network.ts';

describe('whom a limit by address counts', () => {
  const same = (...addresses: string[]) => assert.equal(new Set(addresses.map(networkOf)).size, 1, addresses.map(networkOf).join());
  const differ = (...addresses: string[]) => assert.equal(new Set(addresses.map(networkOf)).size, addresses.length, addresses.map(networkOf).join());

  it('is one IPv4 address, however it is written', () => {
    same('192.0.2.1', '::ffff:192.0.2.1', '::FFFF:192.0.2.1', '192.0.2.1:50123');
    differ('192.0.2.1', '192.0.2.2', '127.0.0.1');
  });

  it('is one /64 of IPv6', () => {
    same('2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:0DB8:0001:0002::', '[2001:db8:1:2::1]:443', '2001:db8:1:2::192.0.2.1', '2001:db8:1:2::1%eth0');
    differ('2001:db8:1:2::1', '2001:db8:1:3::1', '2001:db8::1', '::1', 'fe80::1%eth0', '64:ff9b::192.0.2.1');
    assert.equal(networkOf('2001:db8::1'), '2001:db8:0:0::/64');
    assert.equal(networkOf('::1'), '0:0:0:0::/64');
  });

  it('is whatever else was said', () => {
    for (const odd of ['', 'unknown', '_hidden', '1.2.3', ':::', '[::1', '300.1.1.1']) assert.equal(typeof networkOf(odd), 'string', odd);
    differ('unknown', '_hidden');
  });
});
