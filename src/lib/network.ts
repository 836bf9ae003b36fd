import { isIPv4, isIPv6 } from 'node:net';

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const WITH_PORT = /^(?:\[([^\]]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?$/;

/**
 * Whom a limit by network address counts: the address itself, and of IPv6 its /64, since every line gets one of those
 * at least, and whoever has it may use a new address for each request. Without the port that some proxies add.
 *
 * @example
 * networkOf('2001:db8::1'); // 2001:db8:0:0::/64
 * networkOf('::ffff:192.0.2.1'); // 192.0.2.1
 */
export function networkOf(address: string): string {
  const [, bracketed, dotted] = WITH_PORT.exec(address) ?? [];
  const [host = ''] = (bracketed ?? dotted ?? address).split('%');
  const mapped = MAPPED.exec(host)?.[1];
  if (mapped !== undefined && isIPv4(mapped)) return mapped;
  return isIPv6(host) ? `${prefixOf(host)}::/64` : host;
}

function prefixOf(address: string): string {
  const [left = [], right = []] = address.split('::').map((half) => half.split(':').filter(Boolean));
  // An IPv4 address at the end stands for two groups.
  const width = left.length + right.length + (address.includes('.') ? 1 : 0);
  const zeros = Array.from({ length: Math.max(0, 8 - width) }, () => '0');
  const groups = [...left, ...zeros, ...right].slice(0, 4);
  return groups.map((group) => parseInt(group, 16).toString(16)).join(':');
}
