import { join } from 'node:path';
import { Eta } from 'eta';
import type { Context as KoaContext, Middleware } from 'koa';
import type { Log } from '../log.ts';
import { createAssets, type Asset } from './assets.ts';
import { chooseLanguage, loadCatalogue, type Language } from './catalogue.ts';
import { escape, Html, safeLink } from './html.ts';
import { packageRoot } from './package-root.ts';

/** The name and the logo that pages carry. */
export interface Theme {
  /** Shown in every page's header and title. */
  readonly name?: string;
  /** URL of a logo, shown 32 px high. */
  readonly logo?: string;
}

export interface RenderOptions {
  /** HTTP status; 200 unless told otherwise. */
  readonly status?: number;
  /** Names of built browser scripts, such as `sign-in`. */
  readonly scripts?: readonly string[];
  /** The page's title, in the reader's words; the site's name is added. */
  readonly title?: string;
  /** `wide` for pages with two panels or tables. */
  readonly layout?: 'narrow' | 'wide';
  /** Refresh after so many seconds, for pages that wait without scripts. */
  readonly refresh?: number;
}

type Data = Readonly<Record<string, unknown>>;

/** The pages: eta views in `views/<room>/<name>.eta`, inside `views/layout.eta`. */
export interface Views {
  /** Answers with the view as a page. */
  render(ctx: KoaContext, view: string, data: Data, options?: RenderOptions): void;
  /** The view alone, for another view or a script to place. */
  partial(ctx: KoaContext, view: string, data: Data): Html;
  /** The reader's language. */
  language(ctx: KoaContext): Language;
  /** Makes `uiLocales` of an authorization request the reader's choice on this request. */
  prefer(ctx: KoaContext, uiLocales: unknown): void;
  /** The words for `key` in the reader's language. */
  text(ctx: KoaContext, key: string, params?: Readonly<Record<string, string | number>>): string;
  /** The views for a reader who sent no request, such as one of mail; `tag` is a BCP 47 language tag. */
  inLanguage(tag: string | undefined): Spoken;
  /** The name that pages carry. */
  readonly site: string;
  /** A built asset, for rooms that serve one at a URL of their own (a service worker, a manifest). */
  asset(name: string): Asset;
  /** The hashed path of an asset; throws where it has not been built. */
  assetPath(name: string): string;
  /** Serves `/assets/*`. */
  readonly assets: Middleware;
}

/** Words and views in one language. They know no browser, so a view with a form throws. */
export interface Spoken {
  readonly language: Language;
  text(key: string, params?: Readonly<Record<string, string | number>>): string;
  partial(view: string, data: Data): Html;
}

/** Whom a view is for. */
interface Reader {
  language(): Language;
  csrf(): string;
}

const UI_LOCALES = Symbol('tandem.ui_locales');

/**
 * Creates the views. Inside one, `it` holds the data and these helpers; any other member that is not in the data
 * throws, so that a misspelt name shows in the first test:
 *
 * `t(key, params?)` words · `lang` · `csrf` token for the hidden field · `url(path)` under the issuer · `asset(name)` ·
 * `link(url)` an http(s) URL from outside, made safe for `href` · `partial(view, data)` · `site` name · `logo` ·
 * `accountPage` the path of the account's pages, where there are any.
 */
export function createViews({
  issuer,
  theme = {},
  accountPage,
  log,
  csrf,
}: {
  issuer: string;
  theme?: Theme | undefined;
  accountPage?: string | undefined;
  log?: Log;
  csrf?: (ctx: KoaContext) => string;
}): Views {
  const root = packageRoot();
  const folder = join(root, 'views');
  const catalogue = loadCatalogue(folder);
  const base = new URL(issuer).pathname.replace(/\/$/, '');
  const assets = createAssets(root, base);
  const eta = new Eta({ views: folder, cache: true, autoTrim: false, escapeFunction: escape });
  const site = theme.name ?? 'Tandem';

  function language(ctx: KoaContext): Language {
    const preferred = (ctx.state as Record<symbol, unknown>)[UI_LOCALES] ?? ctx.query['ui_locales'];
    return chooseLanguage(preferred, ctx.get('Accept-Language'));
  }

  function asset(name: string): Asset {
    const found = assets.find(name);
    if (!found) throw new Error(`the asset ${name} has not been built: npm run build`);
    return found;
  }

  const assetPath = (name: string) => assets.path(asset(name));
  const text = (ctx: KoaContext, key: string, params?: Readonly<Record<string, string | number>>) =>
    catalogue.text(language(ctx), key, params);

  const readerOf = (ctx: KoaContext): Reader => ({
    language: () => language(ctx),
    csrf() {
      if (!csrf) throw new Error('these views were created without csrf');
      return csrf(ctx);
    },
  });

  function scope(reader: Reader, data: Data) {
    const helpers = {
      t: (key: string, params?: Readonly<Record<string, string | number>>) => catalogue.text(reader.language(), key, params),
      url: (path: string) => issuer + path,
      asset: assetPath,
      link: safeLink,
      partial: (view: string, inner: Data = {}) => rendered(reader, view, inner),
      site,
      logo: theme.logo,
      accountPage,
      get lang() {
        return reader.language();
      },
      get csrf() {
        return reader.csrf();
      },
    };
    return new Proxy(data, {
      get(target, name) {
        if (Object.hasOwn(helpers, name)) return helpers[name as keyof typeof helpers];
        if (Object.hasOwn(target, name)) return target[name as string];
        throw new Error(`the view asks for ${String(name)}, which it was not given`);
      },
      has: (target, name) => Object.hasOwn(helpers, name) || Object.hasOwn(target, name),
    });
  }

  const rendered = (reader: Reader, view: string, data: Data) => new Html(eta.render(`./${view}`, scope(reader, data)));
  const partial = (ctx: KoaContext, view: string, data: Data) => rendered(readerOf(ctx), view, data);

  function inLanguage(tag: string | undefined): Spoken {
    const spoken = chooseLanguage(tag, '');
    const reader: Reader = {
      language: () => spoken,
      csrf() {
        throw new Error('a form needs a browser that asked for it');
      },
    };
    return {
      language: spoken,
      text: (key, params) => catalogue.text(spoken, key, params),
      partial: (view, data) => rendered(reader, view, data),
    };
  }

  // A page works without its script, so a script that has not been built is a warning and no failure.
  function scriptPaths(names: readonly string[]): string[] {
    return names.flatMap((name) => {
      const found = assets.find(`${name}.js`);
      if (!found) log?.warn({ script: name }, 'a browser script has not been built: npm run build');
      return found ? [assets.path(found)] : [];
    });
  }

  return {
    render(ctx, view, data, { status = 200, scripts = [], title, layout = 'narrow', refresh } = {}) {
      const body = partial(ctx, view, data);
      const page = { body, title, layout, refresh, scripts: scriptPaths(scripts), style: assetPath('style.css') };
      ctx.status = status;
      ctx.type = 'html';
      ctx.set('Content-Language', language(ctx));
      ctx.vary('Accept-Language');
      ctx.body = partial(ctx, 'layout', page).text;
    },
    partial,
    language,
    prefer(ctx, uiLocales) {
      (ctx.state as Record<symbol, unknown>)[UI_LOCALES] = uiLocales;
    },
    text,
    inLanguage,
    site,
    asset,
    assetPath,
    assets: assets.middleware,
  };
}
