import type { Context as KoaContext } from 'koa';

/** A browser in words that a person recognises, such as "Firefox" on "Windows". Only ever a hint: it is the browser's own claim. */
export interface BrowserDescription {
  readonly family: string;
  readonly os: string;
  readonly mobile: boolean;
}

/** First match wins: every browser's string names those it descends from. */
const FAMILIES: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bEdg(e|A|iOS)?\//, 'Edge'],
  [/\b(OPR|OPT|Opera)\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bVivaldi\//, 'Vivaldi'],
  [/\bYaBrowser\//, 'Yandex Browser'],
  [/\bDuckDuckGo\//, 'DuckDuckGo'],
  [/\b(Firefox|FxiOS)\//, 'Firefox'],
  [/\b(Chrome|CriOS|HeadlessChrome)\//, 'Chrome'],
  [/\bChromium\//, 'Chromium'],
  [/\bVersion\/[\d.]+.*\bSafari\//, 'Safari'],
  [/\bAppleWebKit\/.*\bMobile\//, 'Safari'],
];

const SYSTEMS: ReadonlyArray<readonly [RegExp, string]> = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\b(Macintosh|Mac OS X)\b/, 'macOS'],
  [/\b(Linux|X11)\b/, 'Linux'],
];

const CLIENT_HINT_BRANDS: ReadonlyArray<readonly [RegExp, string]> = [
  [/"Brave"/, 'Brave'],
  [/"Microsoft Edge"/, 'Edge'],
  [/"Opera"/, 'Opera'],
];

const first = (table: ReadonlyArray<readonly [RegExp, string]>, text: string) =>
  table.find(([pattern]) => pattern.test(text))?.[1];

/** Describes the browser of a request from its client hints (where it sends them) and its `User-Agent`. */
export function describeBrowser(ctx: KoaContext): BrowserDescription {
  // Bounded, since patterns run over it.
  const agent = ctx.get('User-Agent').slice(0, 512);
  const hintedSystem = /^"([\w ]{1,20})"$/.exec(ctx.get('Sec-CH-UA-Platform'))?.[1];
  return {
    family: first(CLIENT_HINT_BRANDS, ctx.get('Sec-CH-UA').slice(0, 512)) ?? first(FAMILIES, agent) ?? 'Browser',
    os: first(SYSTEMS, agent) ?? first(SYSTEMS, hintedSystem ?? '') ?? 'Unknown system',
    mobile: ctx.get('Sec-CH-UA-Mobile') === '?1' || /\bMobi|\biPhone\b|\bAndroid\b|\biPad\b/.test(agent),
  };
}
