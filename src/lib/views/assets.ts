import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, extname, join } from 'node:path';
import type { Middleware } from 'koa';

/** One file that browsers get. */
export interface Asset {
  readonly name: string;
  readonly type: string;
  readonly body: Buffer;
  /** The first 12 characters of its SHA-256, in the name under which it is served. */
  readonly hash: string;
}

export interface Assets {
  /** The asset called `name`, such as `style.css`, or undefined where it has not been built. */
  find(name: string): Asset | undefined;
  /** The path of an asset, with its content's hash in it. */
  path(asset: Asset): string;
  readonly middleware: Middleware;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
};

/**
 * Loads what browsers get: the built scripts in `dist/assets`, the stylesheet, images in `views`, and the QR reader's
 * WebAssembly. All of it stays in memory; it is about a megabyte.
 *
 * @param root the package's folder
 * @param base the path of the issuer, without a trailing slash
 */
export function createAssets(root: string, base: string): Assets {
  const assets = new Map<string, Asset>();
  for (const file of assetFiles(root)) {
    const asset = load(file);
    if (asset) assets.set(asset.name, asset);
  }
  const path = ({ name, hash }: Asset) =>
    `${base}/assets/${basename(name, extname(name))}.${hash}${extname(name)}`;

  return {
    find: (name) => assets.get(name),
    path,
    async middleware(ctx, next) {
      const [, stem, hash, extension] = /^\/assets\/([\w-]+)\.([\w-]{12})(\.\w+)$/.exec(ctx.path) ?? [];
      const asset = assets.get(`${stem}${extension}`);
      if (!asset || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return next();
      // While a new version rolls out, another process may be asked for what it has in another version.
      const exact = asset.hash === hash;
      ctx.set({
        'Cache-Control': exact ? 'public, max-age=31536000, immutable' : 'no-cache',
        'Content-Type': asset.type,
        'Cross-Origin-Resource-Policy': 'same-origin',
        'X-Content-Type-Options': 'nosniff',
        ETag: `"${asset.hash}"`,
      });
      ctx.status = 200;
      if (ctx.fresh) ctx.status = 304;
      else ctx.body = asset.body;
    },
  };
}

function assetFiles(root: string): string[] {
  const built = join(root, 'dist', 'assets');
  const files = existsSync(built) ? readdirSync(built).map((name) => join(built, name)) : [];
  const images = join(root, 'views', 'images');
  if (existsSync(images)) files.push(...readdirSync(images).map((name) => join(images, name)));
  files.push(join(root, 'views', 'style.css'));
  files.push(createRequire(import.meta.url).resolve('zxing-wasm/reader/zxing_reader.wasm'));
  return files;
}

function load(file: string): Asset | undefined {
  const type = TYPES[extname(file)];
  if (!type) return undefined;
  const body = readFileSync(file);
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 12);
  return { name: basename(file), type, body, hash };
}
