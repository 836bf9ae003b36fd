import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import QRCode from 'qrcode';
import type { Page } from 'playwright-core';
import { createCamera, decodePng } from './camera.ts';
import { DESKTOP, PHONE, useChromium } from './chromium.ts';

const require = createRequire(import.meta.url);
const zxing = require.resolve('zxing-wasm/reader').replace(/cjs.reader.*/, '');

const SCANNER = `<!doctype html><meta charset="utf-8"><title>scanner</title><video muted playsinline></video><output></output>
<script src="/zxing.js"></script><script>
ZXingWASM.prepareZXingModule({ overrides: { locateFile: () => '/zxing.wasm' } });
(async () => {
  const video = document.querySelector('video');
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  await video.play();
  const canvas = document.createElement('canvas');
  for (;;) {
    canvas.width = video.videoWidth; canvas.height = video.videoHeight;
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    const [found] = await ZXingWASM.readBarcodes(context.getImageData(0, 0, canvas.width, canvas.height), { formats: ['QRCode'] });
    if (found) document.querySelector('output').textContent = found.text;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
})();
</script>`;

describe('the camera of the browser tests', () => {
  const camera = createCamera();
  const chromium = useChromium({ camera: () => camera.file });
  let origin: string;
  const server = createServer((request, response) => {
    void (async () => {
      if (request.url === '/zxing.js') return response.setHeader('content-type', 'text/javascript').end(await readFile(`${zxing}iife/reader/index.js`));
      if (request.url === '/zxing.wasm') return response.setHeader('content-type', 'application/wasm').end(await readFile(`${zxing}reader/zxing_reader.wasm`));
      return response.setHeader('content-type', 'text/html').end(SCANNER);
    })();
  });

  before((done) => {
    server.listen(0, 'localhost', () => {
      origin = `http://localhost:${(server.address() as AddressInfo).port}`;
      done();
    });
  });
  after((done) => {
    camera.close();
    server.close(done);
    server.closeAllConnections();
  });

  async function draw(page: Page, text: string) {
    await page.setContent(`<main style="padding:40px">${await QRCode.toString(text, { type: 'svg', width: 260 })}</main>`);
  }

  it('lets a phone scan the pixels of a page, and sees the page change', async () => {
    const desktop = await (await chromium.open(DESKTOP)).newPage();
    const phone = await (await chromium.open(PHONE)).newPage();
    await draw(desktop, 'https://id.example/q/1.first');
    const filming = camera.film(desktop.locator('svg'));
    await phone.goto(origin);
    await phone.getByText('https://id.example/q/1.first').waitFor();
    await draw(desktop, 'https://id.example/q/1.second');
    await phone.getByText('https://id.example/q/1.second').waitFor();
    await filming.stop();
  });

  it('reads the pixels of a screenshot', async () => {
    const page = await (await chromium.open({ viewport: { width: 40, height: 30 } })).newPage();
    await page.setContent('<style>body{margin:0;background:linear-gradient(#000 50%,#fff 50%)}</style>');
    const { width, height, grey } = decodePng(await page.screenshot());
    assert.deepEqual([width, height], [40, 30]);
    assert.deepEqual([grey[0], grey[width * 14 + 20], grey[width * 15 + 20], grey.at(-1)], [0, 0, 255, 255]);
  });
});
