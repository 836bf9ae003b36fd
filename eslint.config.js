import { readFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import tseslint from 'typescript-eslint';

/** The rooms of src/; each may use lib, errors and context, and of another room no more than types and what is listed here. */
const ROOMS = ['accounts', 'admin', 'audit', 'clients', 'devices', 'factors', 'guard', 'keys', 'notices', 'oidc', 'passkeys', 'phone', 'qr', 'recovery', 'registration', 'resources', 'totp'];
/** Modules of a room without state, which others may use as they are. */
const SHARED = ['clients/schema.ts', 'clients/shared-keys.ts', 'oidc/acr.ts', 'oidc/built-in-client.ts', 'registration/schema.ts', 'resources/schema.ts'];

const SQL = /^\s*(select\b[\s\S]+\bfrom\b|insert\s+(ignore\s+)?into\b|update\s+\S+\s+set\b|delete\s+from\b|alter\s+table\b|create\s+(table|index|unique)\b)/i;
const OWNERS_OF_SQL = ['migrations/**', 'src/lib/database/**', 'src/**/store.ts', 'src/**/*-store.ts', 'src/oidc/adapter.ts', 'test/**'];
const RANDOMNESS = ['randomBytes', 'randomInt', 'randomUUID', 'randomFill', 'randomFillSync', 'getRandomValues', 'webcrypto'];

const root = import.meta.dirname;
const local = {
  rules: {
    'sql-in-stores': {
      meta: { type: 'problem', schema: [], messages: { sql: 'queries belong in stores, the oidc adapter and migrations' } },
      create(context) {
        const check = (node, text) => SQL.test(text) && context.report({ node, messageId: 'sql' });
        return {
          Literal: (node) => typeof node.value === 'string' && check(node, node.value),
          TemplateLiteral: (node) => check(node, node.quasis.map(({ value }) => value.cooked).join(' x ')),
        };
      },
    },
    'no-cycles': {
      meta: { type: 'problem', schema: [], messages: { cycle: 'imports go round: {{path}}' } },
      create(context) {
        return {
          Program(node) {
            const path = findCycle(context.filename);
            if (path) context.report({ node, messageId: 'cycle', data: { path: path.map((file) => relative(root, file)).join(' → ') } });
          },
        };
      },
    },
  },
};

/** What each file imports at run time; types are erased, and go round as they like. */
const imports = new Map();
function importsOf(file) {
  if (!imports.has(file)) imports.set(file, readImports(file));
  return imports.get(file);
}

function readImports(file) {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  const found = text.matchAll(/^(?:import|export)\s+(?!type\s)(?:[^'"]*?\sfrom\s+)?'(\.[^']+\.ts)';/gm);
  return [...found].map(([, path]) => resolve(dirname(file), path));
}

function findCycle(start) {
  const seen = new Set();
  const visit = (file, path) => {
    for (const next of importsOf(file)) {
      if (next === start) return [...path, next];
      if (seen.has(next)) continue;
      seen.add(next);
      const cycle = visit(next, [...path, next]);
      if (cycle) return cycle;
    }
    return undefined;
  };
  return visit(start, [start]);
}

const restrict = (patterns, paths = []) => ({
  '@typescript-eslint/no-restricted-imports': ['error', { patterns, paths: [...paths, { name: 'node:crypto', importNames: RANDOMNESS, message: 'randomness comes from lib/crypto' }] }],
});

const up = (rooms) => `^\\.{1,2}/(?:\\.\\./)*(?:${rooms.join('|')})/`;
/** How deep folders go below a room. */
const DEPTHS = [1, 2, 3, 4];
/** The files of a room's folder `depth` below src/; of their imports, those lead out of the room that go up as far as that. */
const filesAt = (room, depth, name) => `src/${room}/${'*/'.repeat(depth - 1)}${name}`;
/** Of those, what is in a folder of pages. */
const pagesAt = (room, depth) => Array.from({ length: depth - 1 }, (_, above) => `src/${room}/${'*/'.repeat(above)}pages/${'*/'.repeat(depth - 2 - above)}*.ts`);
const otherRooms = (room, depth) => ({
  regex: `^(?:\\.\\./){${depth}}(?!(?:${SHARED.map((path) => path.replace('.', '\\.')).join('|')})$)(?:${ROOMS.filter((other) => other !== room).join('|')})/`,
  allowTypeImports: true,
  message: 'services of other rooms arrive as arguments; import their types alone',
});
const assembly = { group: ['**/plugin.ts', '**/assembly/**', '**/features.ts', '**/src/index.ts'], message: 'plugin.ts and assembly/ put the rooms together, not the other way round' };
const runners = { group: ['**/server/**', '**/demo/**'], message: 'nothing depends on the programs that run Tandem' };

export default tseslint.config(
  { ignores: ['dist/**', 'data/**', 'coverage/**', 'node_modules/**'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    plugins: { local },
    languageOptions: { parserOptions: { project: ['./tsconfig.json', './views/tsconfig.json'], tsconfigRootDir: root } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-console': 'error',
      eqeqeq: 'error',
      'local/no-cycles': 'error',
      'local/sql-in-stores': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { checkThenables: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false }],
      // An async function is how a promise is made of a throw, with or without an await inside.
      '@typescript-eslint/require-await': 'off',
      // Factories return plain objects of functions; there is no `this` to lose.
      '@typescript-eslint/unbound-method': 'off',
      // Servers, timers and events call asynchronous handlers; what these throw, no-floating-promises finds where it is lost.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      // An assertion may say what a reader could not see, though the compiler could do without.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      // Koa's next() promises any.
      '@typescript-eslint/no-unsafe-return': 'off',
      // The names of events are merged in by the rooms.
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allow: ['URL', 'URLSearchParams'] }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/server/**', 'src/demo/**', 'src/phone/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'the time comes from context.clock' },
        ...['randomUUID', 'getRandomValues'].map((property) => ({ property, message: 'randomness comes from lib/crypto' })),
        { object: 'Math', property: 'random', message: 'randomness comes from lib/crypto' },
        { property: 'knex', message: 'stores prepare their statements with db.statement()' },
        { object: 'process', property: 'env', message: 'settings are read in server/ alone' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'the time comes from context.clock' },
        { selector: "CallExpression[callee.object.name='log'] > ObjectExpression > Property[key.name='error']", message: 'pino reads an error from `err` alone' },
      ],
    },
  },
  { files: ['src/lib/clock.ts'], rules: { 'no-restricted-properties': 'off' } },
  // Runs before there is a context.
  { files: ['src/lib/database/migrate.ts'], rules: { 'no-restricted-syntax': 'off' } },
  {
    // What is beneath knex has no types.
    files: ['src/lib/database/**'],
    rules: Object.fromEntries(['assignment', 'call', 'member-access'].map((what) => [`@typescript-eslint/no-unsafe-${what}`, 'off'])),
  },
  { files: OWNERS_OF_SQL, rules: { 'local/sql-in-stores': 'off' } },

  // 1. lib, errors and context import no room.
  { files: ['src/lib/**/*.ts', 'src/errors.ts', 'src/context.ts'], rules: restrict([{ regex: up(ROOMS), message: 'lib knows no room' }, assembly, runners]) },
  // 2. Rooms know of each other what their types say.
  ...ROOMS.flatMap((room) => DEPTHS.map((depth) => ({ files: [filesAt(room, depth, '*.ts')], rules: restrict([otherRooms(room, depth), assembly, runners]) }))),
  // 3. Routes talk to services.
  ...ROOMS.flatMap((room) => DEPTHS.map((depth) => ({
    files: [filesAt(room, depth, '*routes.ts'), filesAt(room, depth, 'pages.ts'), ...pagesAt(room, depth)],
    rules: restrict([
      otherRooms(room, depth),
      assembly,
      runners,
      { group: ['**/store.ts', '**/*-store.ts', '**/lib/database/**'], allowTypeImports: true, message: 'routes talk to services' },
    ], [{ name: 'knex', message: 'routes talk to services' }]),
  }))),
  // The SDK runs on phones: nothing of the server's comes with it.
  { files: ['src/phone/index.ts', 'src/phone/sdk/**/*.ts', 'src/phone/app/**/*.ts'], rules: restrict([{ regex: `^\\.\\./(?:\\.\\./)*(?:lib|errors\\.ts|context\\.ts|${ROOMS.filter((room) => room !== 'phone').join('|')})`, message: 'what runs on the phone takes nothing of the server along' }]) },
  // The keys of the key ring and their nonces are made next to lib/crypto.
  { files: ['src/lib/crypto.ts', 'src/lib/key-ring.ts'], rules: { '@typescript-eslint/no-restricted-imports': 'off' } },
  // 5. The server uses the public API; if it needs more, that is incomplete.
  { files: ['src/server/*.ts'], rules: restrict([{ regex: '^\\.\\./(?!index\\.ts$)', message: 'server/ uses the public API alone' }]) },
  { files: ['src/server/*/*.ts'], rules: restrict([{ regex: '^\\.\\./\\.\\./(?!index\\.ts$)', message: 'server/ uses the public API alone' }]) },
  // Relying sites use nothing of ours but the wire, as a customer would.
  { files: ['src/demo/**/*.ts'], rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: [{ regex: '^\\.\\./(?!phone/index\\.ts$)', message: 'the demo is a customer' }] }] } },

  { files: ['src/server/**/*.ts', 'src/demo/**/*.ts', 'src/phone/app/**/*.ts', 'views/**/*.ts', 'test/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Answers of servers are read as they come; a wrong shape fails the test by itself.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
);
