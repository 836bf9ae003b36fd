import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
];
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const SCREENSHOTS = fileURLToPath(new URL('../../coverage/screenshots/', import.meta.url));

/** A desktop window, and a small phone. */
export const DESKTOP: BrowserContextOptions = { viewport: { width: 1180, height: 860 } };
export const PHONE: BrowserContextOptions = {
  viewport: { width: 360, height: 740 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
  userAgent: 'Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Mobile Safari/537.36',
};

function inPath() {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const files = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...files, '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium'].find((file) => existsSync(file));
}

async function inPlaywrightCache() {
  const wanted = chromium.executablePath();
  if (wanted && existsSync(wanted)) return wanted;
  const caches = [process.env.PLAYWRIGHT_BROWSERS_PATH, join(homedir(), '.cache/ms-playwright'), join(homedir(), 'Library/Caches/ms-playwright')];
  const programs = ['chrome-linux64/chrome', 'chrome-linux/chrome', 'chrome-linux/headless_shell', 'chrome-headless-shell-linux64/chrome-headless-shell', 'chrome-mac/Chromium.app/Contents/MacOS/Chromium'];
  for (const cache of caches) {
    if (!cache || !existsSync(cache)) continue;
    const versions = (await readdir(cache)).filter((name) => name.startsWith('chromium')).sort().reverse();
    const found = versions.flatMap((version) => programs.map((program) => join(cache, version, program))).find((file) => existsSync(file));
    if (found) return found;
  }
  return undefined;
}

let libraries: Promise<Record<string, string>> | undefined;

const runs = (program: string) => promisify(execFile)(program, ['--version']).then(() => true, () => false);

/** A bare machine lacks NSS, which Chromium links to, and fonts. The package brings both, and unpacks the first on AWS alone. */
async function bareMachine(): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-chromium-'));
  const main = createRequire(import.meta.url).resolve('@sparticuz/chromium');
  const archive = join(folder, 'libraries.tar');
  await writeFile(archive, await promisify(brotliDecompress)(await readFile(join(main, '../../../bin/al2023.tar.br'))));
  await promisify(execFile)('tar', ['-xf', archive, '-C', folder]);
  return { LD_LIBRARY_PATH: join(folder, 'lib'), FONTCONFIG_PATH: join(tmpdir(), 'fonts') };
}

/** Where a Chromium is: `CHROMIUM_PATH`, the system, Playwright's cache, or the one inside `@sparticuz/chromium`. */
async function findChromium(): Promise<string> {
  const given = process.env.CHROMIUM_PATH;
  if (given) {
    if (!existsSync(given)) throw new Error(`CHROMIUM_PATH names ${given}, which is not there`);
    return given;
  }
  const found = inPath() ?? (await inPlaywrightCache());
  if (found) return found;
  const { default: packaged } = await import('@sparticuz/chromium');
  return packaged.executablePath();
}

/** Starts Chromium with a fake camera; `camera` is the y4m file that it films. */
export async function launchChromium({ camera }: { camera?: string } = {}): Promise<Browser> {
  const executablePath = await findChromium();
  return chromium.launch({
    executablePath,
    headless: true,
    ...(!(await runs(executablePath)) && { env: { ...process.env, ...(await (libraries ??= bareMachine())) } }),
    args: [...FLAGS, ...(camera ? [`--use-file-for-fake-video-capture=${camera}`] : [])],
  });
}

export interface Chromium {
  /** A new person with an empty profile; closed after the test, or after the suite with `keep`. */
  open(options?: BrowserContextOptions & { keep?: boolean }): Promise<BrowserContext>;
}

/**
 * One Chromium for the suite that calls it, with the hooks that start and close it. When a test fails, every page that is
 * open is photographed into `coverage/screenshots`.
 */
export function useChromium({ camera }: { camera?: () => string } = {}): Chromium {
  let browser: Browser | undefined;
  const complaints: string[] = [];
  const kept = new Set<BrowserContext>();

  before(async function () {
    this.timeout(120_000);
    browser = await launchChromium(camera ? { camera: camera() } : {});
  });

  afterEach(async function () {
    const failed = this.currentTest?.state === 'failed';
    for (const context of browser?.contexts() ?? []) {
      for (const [index, page] of context.pages().entries()) {
        if (!failed) break;
        await mkdir(SCREENSHOTS, { recursive: true });
        const name = `${this.currentTest!.fullTitle().replace(/[^\w]+/g, '-').slice(0, 120)}-${browser!.contexts().indexOf(context)}${index}.png`;
        await page.screenshot({ path: join(SCREENSHOTS, name), fullPage: true }).catch(() => undefined);
        console.error(`      ${page.url()} → coverage/screenshots/${name}`);
      }
      if (!kept.has(context)) await context.close();
    }
    if (failed && complaints.length) console.error(complaints.map((line) => `      console: ${line}`).join('\n'));
    complaints.length = 0;
  });

  after(async () => {
    await browser?.close();
  });

  return {
    async open({ keep = false, ...options } = {}) {
      const context = await browser!.newContext({ locale: 'en', ...options });
      if (keep) kept.add(context);
      // tsx wraps named functions in a helper that a page does not have.
      await context.addInitScript('globalThis.__name = (f) => f');
      context.on('console', (message) => message.type() === 'error' && complaints.push(`${message.location().url}: ${message.text()}`));
      context.on('weberror', (error) => complaints.push(error.error().message));
      return context;
    },
  };
}
