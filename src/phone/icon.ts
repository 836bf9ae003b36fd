import { deflateSync } from 'node:zlib';

const PAPER = [0xf5, 0xf4, 0xf0] as const;
const FIRST = [0x0b, 0x6a, 0x5b] as const;
const SECOND = [0xb4, 0x54, 0x1a] as const;

/**
 * Draws the app's icon as a PNG: two rings, one in the other's way.
 *
 * @param size width and height in pixels
 * @param shape `round` has transparent rounded corners; `full` reaches the edges, for systems that cut their own shape
 */
export function drawIcon(size: number, shape: 'round' | 'full'): Buffer {
  const rows = Buffer.alloc(size * (1 + size * 4));
  const radius = size * 0.19;
  const thickness = size * 0.07;
  const corner = shape === 'round' ? size * 0.22 : 0;
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const [px, py] = [x + 0.5, y + 0.5];
      const first = ring(px - size * 0.39, py - size / 2, radius, thickness);
      const second = ring(px - size * 0.61, py - size / 2, radius, thickness);
      // The second ring passes over the first above, and under it below: they are linked.
      const below = py > size / 2;
      const colour = below ? over(over(PAPER, SECOND, second), FIRST, first) : over(over(PAPER, FIRST, first), SECOND, second);
      const at = y * (1 + size * 4) + 1 + x * 4;
      rows.set(colour, at);
      rows[at + 3] = Math.round(255 * square(px, py, size, corner));
    }
  }
  return png(size, rows);
}

/** How much of a pixel a ring covers, from 0 to 1, by its distance. */
function ring(dx: number, dy: number, radius: number, thickness: number): number {
  return clamp(thickness / 2 - Math.abs(Math.hypot(dx, dy) - radius) + 0.5);
}

function square(x: number, y: number, size: number, corner: number): number {
  if (corner === 0) return 1;
  const [dx, dy] = [Math.max(corner - x, x - (size - corner), 0), Math.max(corner - y, y - (size - corner), 0)];
  return clamp(corner - Math.hypot(dx, dy) + 0.5);
}

function over(below: readonly number[], above: readonly number[], amount: number): number[] {
  return below.map((value, index) => Math.round(value + ((above[index] ?? 0) - value) * amount));
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/** PNG (third edition) of 8-bit RGBA rows, each led by its filter's number 0. */
function png(size: number, rows: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
