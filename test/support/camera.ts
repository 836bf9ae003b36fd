import { mkdtempSync, openSync, closeSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import type { Locator } from 'playwright-core';

/** Grey pixels, one byte each, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly grey: Uint8Array;
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 4: 2, 6: 4 };

function paeth(left: number, up: number, upLeft: number) {
  const estimate = left + up - upLeft;
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - upLeft)];
  return a <= b && a <= c ? left : b <= c ? up : upLeft;
}

/** Undoes the scan line filters, PNG (third edition) §9. */
function unfilter(data: Uint8Array, height: number, stride: number, pixel: number): Uint8Array {
  const out = new Uint8Array(height * stride);
  for (let y = 0; y < height; y += 1) {
    const filter = data[y * (stride + 1)];
    for (let x = 0; x < stride; x += 1) {
      const at = y * stride + x;
      const left = x >= pixel ? out[at - pixel]! : 0;
      const up = y > 0 ? out[at - stride]! : 0;
      const upLeft = y > 0 && x >= pixel ? out[at - stride - pixel]! : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, upLeft)][filter!]!;
      out[at] = data[y * (stride + 1) + 1 + x]! + guess;
    }
  }
  return out;
}

/** Decodes the PNGs that screenshots are: 8 bits a channel, not interlaced, no palette. */
export function decodePng(png: Uint8Array): Picture {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  if (!bytes.subarray(0, 8).equals(SIGNATURE)) throw new Error('not a PNG');
  const chunks: Buffer[] = [];
  let [width, height, channels] = [0, 0, 0];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (type === 'IHDR') {
      [width, height, channels] = [data.readUInt32BE(0), data.readUInt32BE(4), CHANNELS[data[9]!] ?? 0];
      if (data[8] !== 8 || !channels || data[12] !== 0) throw new Error('a PNG of a kind that is not read here');
    }
    if (type === 'IDAT') chunks.push(data);
    at += 12 + length;
  }
  const raw = unfilter(inflateSync(Buffer.concat(chunks)), height, width * channels, channels);
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i += 1) {
    const at = i * channels;
    grey[i] = channels < 3 ? raw[at]! : Math.round(0.299 * raw[at]! + 0.587 * raw[at + 1]! + 0.114 * raw[at + 2]!);
  }
  return { width, height, grey };
}

const WIDTH = 640;
const HEIGHT = 480;
const HEADER = Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`);
const FRAME = Buffer.from('FRAME\n');

/** One 640 × 480 frame with the picture in its middle, on grey, as a hand would hold the phone. */
function frameOf({ width, height, grey }: Picture): Buffer {
  const frame = Buffer.alloc(WIDTH * HEIGHT * 1.5, 128);
  frame.fill(200, 0, WIDTH * HEIGHT);
  const scale = Math.min(1, (HEIGHT - 20) / height, (WIDTH - 20) / width);
  const [shownWidth, shownHeight] = [Math.floor(width * scale), Math.floor(height * scale)];
  const [left, top] = [(WIDTH - shownWidth) >> 1, (HEIGHT - shownHeight) >> 1];
  for (let y = 0; y < shownHeight; y += 1) {
    for (let x = 0; x < shownWidth; x += 1) {
      frame[(top + y) * WIDTH + left + x] = grey[Math.floor(y / scale) * width + Math.floor(x / scale)]!;
    }
  }
  return frame;
}

/** What a phone's camera sees: a y4m file for Chromium's `--use-file-for-fake-video-capture`. */
export interface Camera {
  readonly file: string;
  /** Points the camera at a screenshot. A capture that is running sees it within a few frames. */
  show(png: Uint8Array): void;
  /** Points the camera at nothing. */
  away(): void;
  /** Keeps filming an element, once or twice a second, until stopped. */
  film(element: Locator): { stop(): Promise<void> };
  close(): void;
}

/**
 * Creates a camera. Its file keeps its size and place and is overwritten, because Chromium reads it again and again while
 * it captures: the picture moves as the filmed page does.
 */
export function createCamera(): Camera {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-camera-'));
  const file = join(folder, 'camera.y4m');
  const descriptor = openSync(file, 'w+');
  writeSync(descriptor, HEADER, 0, HEADER.length, 0);
  // Chromium holds the frames of one pass through the file: two make it come round often.
  const put = (picture: Picture) => {
    const frame = Buffer.concat([FRAME, frameOf(picture)]);
    writeSync(descriptor, frame, 0, frame.length, HEADER.length);
    writeSync(descriptor, frame, 0, frame.length, HEADER.length + frame.length);
  };
  const nothing: Picture = { width: 1, height: 1, grey: Uint8Array.of(200) };
  put(nothing);

  return {
    file,
    show: (png) => put(decodePng(png)),
    away: () => put(nothing),
    film(element) {
      let running = true;
      const filming = (async () => {
        while (running) {
          // An element that is being replaced cannot be photographed; the next picture will do.
          await element.screenshot({ timeout: 2000 }).then((png) => put(decodePng(png)), () => undefined);
          await new Promise((resolve) => setTimeout(resolve, 300));
        }
      })();
      return {
        async stop() {
          running = false;
          await filming;
        },
      };
    },
    close() {
      closeSync(descriptor);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
