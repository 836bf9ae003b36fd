import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseLanguage, LANGUAGES } from '../../src/lib/views/catalogue.ts';
import { escape, Html, safeLink } from '../../src/lib/views/html.ts';
import { packageRoot } from '../../src/lib/views/package-root.ts';
import { route } from '../../src/lib/http/route.ts';
import { startBareApp, type BareApp } from '../support/bare-app.ts';
import { elements, textOf } from '../support/html.ts';

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' autofocus onfocus='alert(1)",
  '</title><script>alert(1)</script>',
  '</textarea><svg onload=alert(1)>',
  '&lt;script&gt;',
  '<%= it.csrf %> <% throw 1 %>',
  '` onmouseover=alert(1)',
  '{{constructor.constructor("alert(1)")()}}',
  '${alert(1)}',
  '\u2028</script>',
];

const viewsFolder = join(packageRoot(), 'views');
const viewFiles = readdirSync(viewsFolder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.eta'));

describe('escaping', () => {
  for (const text of HOSTILE) {
    it(`makes ${JSON.stringify(text).slice(0, 40)} harmless in content and in attributes`, () => {
      const safe = escape(text);
      assert.doesNotMatch(safe, /[<>"'`]/);
      for (const html of [`<p title="${safe}">`, `<p title='${safe}'>`]) assert.equal(elements(html, 'p')[0]!.get('title'), text);
      assert.equal(textOf(`<p>${safe}</p>`), text.replace(/\s+/g, ' ').trim());
    });
  }

  it('shows nothing for nothing, and markup of views as it is', () => {
    assert.equal(escape(undefined) + escape(null) + escape(false), '');
    assert.equal(escape(0), '0');
    assert.equal(escape(new Html('<b>x</b>')), '<b>x</b>');
    assert.equal(escape({ toString: () => '<b>', text: '<i>' }), '&lt;b&gt;', 'what merely looks like markup is text');
  });

  it('links to http and https alone', () => {
    for (const url of ['javascript:alert(1)', 'JaVaScRiPt:alert(1)', ' javascript:alert(1)', 'java\nscript:alert(1)', 'data:text/html,x', 'vbscript:x', '//evil.example', '', null, {}]) {
      assert.equal(safeLink(url), '#', JSON.stringify(url));
    }
    assert.equal(safeLink('https://a.example/x?y=1&z="'), 'https://a.example/x?y=1&z=%22');
  });
});

describe('the views', () => {
  let app: BareApp;
  let render: Parameters<typeof route>[2] = async () => {};
  before(async () => {
    app = await startBareApp((router) => {
      route(router, { method: 'GET', path: '/view', kind: 'page' }, async (ctx, input) => render(ctx, input as never));
    }, { theme: { name: 'Ada & <Söhne>' } });
  });
  after(() => app.close());

  async function show(view: string, data: Record<string, unknown>, headers: Record<string, string> = {}, query = '') {
    render = async (ctx) => app.http.views.render(ctx, view, data, { title: '<title> & "more"' });
    const answer = await fetch(`${app.url}/view${query}`, { headers });
    return { answer, html: await answer.text() };
  }

  const error = { kind: 'request', description: '', reference: '' };

  for (const text of HOSTILE) {
    it(`carry ${JSON.stringify(text).slice(0, 40)} as text alone`, async () => {
      const forms = [
        ['errors/error', { ...error, description: text }],
        ['accounts/password', { uid: text, email: text, problem: '', params: {} }],
        ['accounts/register', { action: '/x', back: '/y', client: text, email: text, name: text, minLength: 10, problem: { field: '', key: '' } }],
        ['accounts/home', { email: text, name: text, since: text, items: [{ title: text, text, path: '/x', link: text }], hasPassword: true, done: '', problem: '' }],
        ['totp/list', { list: [{ id: 'x', name: text, meta: [text], rename: '/x', remove: '/y' }], off: false, blocked: 0, done: '', problem: '', full: false, most: 5, add: '/z', home: undefined, items: [] }],
        ['accounts/change-password', { email: text, minLength: 10, problem: { field: '', key: '' }, words: 'change' }],
        ['accounts/change-password', { email: text, minLength: 10, problem: { field: '', key: '' }, words: 'set' }],
      ] as const;
      for (const [view, data] of forms) {
        const { answer, html } = await show(view, data);
        assert.equal(answer.status, 200, html);
        assert.equal(elements(html, 'script').length + elements(html, 'svg').length + elements(html, 'img').length, 0, view);
        const handlers = ['input', 'form', 'a', 'p', 'div'].flatMap((name) => elements(html, name)).flatMap((each) => [...each.keys()].filter((key) => key.startsWith('on')));
        assert.deepEqual(handlers, [], view);
        if (view !== 'errors/error') assert.ok(elements(html, 'input').some((input) => input.get('value') === text), `${view} keeps it`);
      }
    });
  }

  it('escape the site name and the title', async () => {
    const { html } = await show('errors/error', error);
    assert.match(html, /<title>&lt;title&gt; &amp; &quot;more&quot; · Ada &amp; &lt;Söhne&gt;<\/title>/);
  });

  it('throw on a name that they were not given, without telling the reader which', async () => {
    const { answer, html } = await show('errors/error', { kind: 'request', description: '' });
    assert.equal(answer.status, 500);
    assert.ok(!html.includes('reference, which'));
    assert.match((app.errors.at(-1) as { err: Error }).err.message, /reference/);
  });

  it('throw on words that do not exist', async () => {
    assert.equal((await show('errors/error', { ...error, kind: 'nonsense' })).answer.status, 500);
  });

  it('reach no property that all objects have', async () => {
    for (const kind of ['constructor', '__proto__', 'toString']) {
      assert.equal((await show('errors/error', { ...error, kind })).answer.status, 500, kind);
    }
  });

  it('speak the language of ui_locales before that of the browser', async () => {
    const { answer, html } = await show('errors/error', error, { 'accept-language': 'nl' }, '?ui_locales=xx%20fr-CA%20de');
    assert.equal(answer.headers.get('content-language'), 'fr');
    assert.match(html, /<html lang="fr">/);
  });

  for (const name of viewFiles) {
    it(`${name} places values only where they are escaped`, () => {
      const source = readFileSync(join(viewsFolder, name), 'utf8');
      assert.doesNotMatch(source, /<%~(?!\s*it\.partial\()/, 'raw output');
      assert.doesNotMatch(source, /<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=/, 'inline script or style, which the policy forbids');
      assert.doesNotMatch(source, /=\s*<%=/, 'an attribute without quotes');
      for (const [, value] of source.matchAll(/\s(?:href|src|action|formaction)="<%=\s*([^%]*?)\s*%>/g)) {
        assert.match(value!, /^(it\.(url|link|asset)\(|it\.(style|base|frame|retry|otpauth)$|script$)/, `where ${value} leads`);
      }
    });
  }
});

describe('the catalogue', () => {
  it('has the same parameters in every language', () => {
    for (const room of readdirSync(viewsFolder, { withFileTypes: true }).filter((each) => each.isDirectory())) {
      let words: Record<string, Record<string, string>>;
      try {
        words = JSON.parse(readFileSync(join(viewsFolder, room.name, 'messages.json'), 'utf8')) as typeof words;
      } catch {
        continue;
      }
      const parameters = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
      for (const [key, text] of Object.entries(words['en']!)) {
        for (const language of LANGUAGES) {
          assert.deepEqual(parameters(words[language]![key] ?? ''), parameters(text), `${room.name}.${key} in ${language}`);
          assert.ok(words[language]![key], `${room.name}.${key} in ${language}`);
        }
      }
    }
  });

  it('breaks no French line before a colon, a question mark or inside guillemets', () => {
    for (const room of readdirSync(viewsFolder)) {
      const file = join(viewsFolder, room, 'messages.json');
      if (!existsSync(file)) continue;
      const { fr } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string>>;
      for (const [key, text] of Object.entries(fr!)) assert.doesNotMatch(text, / [:;?!»]|« /, `${room}.${key}`);
    }
  });

  const CHOICES: ReadonlyArray<readonly [unknown, string, string]> = [
    [undefined, '', 'en'],
    [undefined, 'de-AT,de;q=0.9', 'de'],
    [undefined, 'pl, fr;q=0.4, nl;q=0.7', 'nl'],
    [undefined, 'fr;q=0, de;q=0.1', 'de'],
    [undefined, '*', 'en'],
    [undefined, 'x'.repeat(100_000), 'en'],
    [undefined, ';;q=,,;q=x', 'en'],
    ['nl', 'de', 'nl'],
    ['ja zh', 'de', 'de'],
    [['nl'], 'de', 'de'],
    ['NL-be', '', 'nl'],
  ];
  for (const [uiLocales, header, language] of CHOICES) {
    it(`chooses ${language} for ${JSON.stringify(uiLocales)} and ${JSON.stringify(header.slice(0, 30))}`, () => {
      assert.equal(chooseLanguage(uiLocales, header), language);
    });
  }
});

describe('the assets', () => {
  let app: BareApp;
  before(async () => {
    app = await startBareApp(() => {});
  });
  after(() => app.close());

  it('are cached for ever under the hash of their content', async () => {
    const answer = await fetch(app.url + app.http.views.assetPath('style.css'));
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type')!, /^text\/css/);
    assert.match(answer.headers.get('cache-control')!, /immutable/);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.match(await answer.text(), /--accent/);
  });

  it('are served under the hash of another version too, without being cached', async () => {
    const path = app.http.views.assetPath('style.css').replace(/\.[\w-]{12}\./, '.AAAAAAAAAAAA.');
    const answer = await fetch(app.url + path);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('cache-control'), 'no-cache');
  });

  it('answer 304 to a browser that has them', async () => {
    const path = app.http.views.assetPath('style.css');
    const etag = (await fetch(app.url + path)).headers.get('etag')!;
    assert.equal((await fetch(app.url + path, { headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' } })).status, 304);
  });

  it('include the WebAssembly that reads QR codes', async () => {
    const answer = await fetch(app.url + app.http.views.assetPath('zxing_reader.wasm'), { method: 'HEAD' });
    assert.equal(answer.headers.get('content-type'), 'application/wasm');
  });

  it('are no way to other files', async () => {
    for (const path of ['/assets/../package.json', '/assets/%2e%2e/package.json', '/assets/layout.AAAAAAAAAAAA.eta', '/assets/', '/assets/messages.AAAAAAAAAAAA.json', '/assets/__proto__.AAAAAAAAAAAA.js']) {
      assert.equal((await fetch(app.url + path)).status, 404, path);
    }
  });

  it('lie under the path of a mounted issuer', async () => {
    const mounted = await startBareApp(() => {}, { issuer: 'https://id.example.com/oidc' });
    try {
      assert.match(mounted.http.views.assetPath('style.css'), /^\/oidc\/assets\/style\.[\w-]{12}\.css$/);
    } finally {
      await mounted.close();
    }
  });
});
