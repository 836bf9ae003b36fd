import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { newEncryptionKey } from '../../src/index.ts';
import { onEachDatabase } from '../support/databases.ts';
import { itWhere } from '../support/skip.ts';
import { run, temporaryFolder } from './program.ts';

describe('the command line', function () {
  this.timeout(60_000);
  const folder = temporaryFolder();

  it('prints a new encryption key', async () => {
    const program = run(['secret']);
    assert.equal(await program.ended(), 0);
    assert.match(program.output(), /^[\w-]{43}\n$/);
    assert.equal(Buffer.from(program.output().trim(), 'base64url').byteLength, 32);
  });

  it('prints its commands and every setting', async () => {
    const [program, other] = [run(['help']), run(['--help'])];
    assert.equal(await program.ended(), 0);
    for (const word of ['keys rotate', 'rollback', 'clients secrets add', 'apply <file>', 'ENCRYPTION_KEY', 'TRUST_PROXY']) assert.ok(program.output().includes(word), word);
    assert.deepEqual([await other.ended(), other.output()], [0, program.output()]);
  });

  it('tells the options of a command, and the commands of a noun', async () => {
    const [noun, same, one] = [run(['keys', '-h']), run(['help', 'keys']), run(['clients', 'secrets', 'add', 'web-shop', '--help'])];
    assert.deepEqual([await noun.ended(), await same.ended(), await one.ended()], [0, 0, 0]);
    assert.match(noun.output(), /^tandem keys list\n[\s\S]*^tandem keys rotate \[options\]\n.*\n {4}--now {2}does not wait$/m);
    assert.equal(same.output(), noun.output());
    assert.match(one.output(), /^tandem clients secrets add <client> \[options\]$/m);
    assert.match(one.output(), /--end-others-in TIME/);
    assert.ok(!one.output().includes('secrets remove'));
  });

  it('prints its version', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    for (const args of [['version'], ['--version'], ['-v']]) {
      const program = run(args);
      assert.deepEqual([await program.ended(), program.output(), program.errors()], [0, `${version}\n`, '']);
    }
  });

  const mistakes: Array<[title: string, args: string[], env: Record<string, string>, expected: RegExp]> = [
    ['a bad setting', ['start'], { PORT: 'eighty' }, /^PORT: must be a port number\n$/],
    ['production without an encryption key', [], { NODE_ENV: 'production', ISSUER: 'https://id.example.com' }, /^ENCRYPTION_KEY: .*tandem secret/],
    ['production without an issuer', [], { NODE_ENV: 'production', ENCRYPTION_KEY: newEncryptionKey() }, /^ISSUER: /],
    ['an unknown command', ['serve'], {}, /^there is no command "serve"; tandem help/],
    ['a noun alone', ['clients'], {}, /^there is no command "clients"; tandem help clients lists those that begin so\n$/],
    ['an unknown verb', ['clients', 'frob'], {}, /^there is no command "clients frob"; tandem help clients/],
    ['an operand that is missing', ['clients', 'show'], {}, /^<client> is missing: tandem clients show <client>\n$/],
    ['an operand too many', ['keys', 'list', 'all'], {}, /^"all" is one too many: tandem keys list\n$/],
    ['an unknown option', ['keys', 'rotate', '--soon'], {}, /^there is no option --soon here; tandem keys rotate --help lists those that there are\n$/],
    ['a rollback that nobody confirmed', ['rollback'], { DATABASE_URL: 'sqlite::memory:' }, /--yes/],
    ['a database that does not answer', ['migrate'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none', ENCRYPTION_KEY: newEncryptionKey(), LOG_LEVEL: 'fatal' }, /^DATABASE_URL: .*ECONNREFUSED/],
  ];
  for (const [title, args, env, expected] of mistakes) {
    it(`stops at ${title}, with one line`, async () => {
      const program = run(args, env);
      assert.equal(await program.ended(), 1);
      assert.match(program.errors(), expected);
      assert.equal(program.errors().trim().split('\n').length, 1, program.errors());
      assert.equal(program.output(), '');
    });
  }

  itWhere(existsSync('/dev/full'), 'there is no /dev/full', 'fails where its answer cannot be written, and not where nobody reads on', async () => {
    const shell = (line: string) => promisify(execFile)('bash', ['-o', 'pipefail', '-c', line, process.execPath], { env: { PATH: process.env['PATH'] } });
    await assert.rejects(shell('"$0" --import tsx src/server/main.ts secret > /dev/full'), ({ code, stderr }: { code: number; stderr: string }) => code === 1 && stderr.includes('the answer could not be written (ENOSPC)\n'));
    await shell('"$0" --import tsx src/server/main.ts secret | true');
  });

  it('answers with --json by one document, and fails by one', async () => {
    const env = { DATABASE_URL: folder.url('json.sqlite') };
    const failures: Array<[args: string[], more: Record<string, string>, error: string]> = [
      [['clients', 'show', 'nobody'], {}, 'not_found'],
      [['clients', 'show'], {}, 'usage'],
      [['clients', 'frob'], {}, 'usage'],
      [['clients', 'list', '--nonsense'], {}, 'usage'],
      [['keys', 'list'], { PORT: 'eighty' }, 'configuration'],
    ];
    for (const [args, more, error] of failures) {
      const program = run([...args, '--json'], { ...env, ...more });
      assert.deepEqual([await program.ended(), program.output()], [1, ''], args.join(' '));
      const failure = JSON.parse(program.errors()) as { error: string; error_description: string };
      assert.deepEqual([failure.error, typeof failure.error_description], [error, 'string']);
    }
    const program = run(['--json', 'keys', 'list'], env);
    assert.deepEqual([await program.ended(), program.errors()], [0, '']);
    assert.equal((JSON.parse(program.output()) as { keys: unknown[] }).keys.length, 8);
  });

  it('stops at a database that cannot be used while the demo starts beside it, and leaves nothing running', async () => {
    await writeFile(folder.path('words.txt'), 'no database, and long enough to be taken for a bad one');
    const base = { LOG_LEVEL: 'fatal', PORT: '0', DEMO_PORT: '0' };
    const programs = [
      run([], { ...base, ENCRYPTION_KEY: newEncryptionKey(), DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' }),
      run([], { ...base, ENCRYPTION_KEY: newEncryptionKey(), DATABASE_URL: folder.url('words.txt') }),
      run([], { ...base, DATABASE_URL: folder.url('words.txt/tandem.sqlite') }),
    ];
    for (const program of programs) {
      assert.equal(await program.ended(), 1);
      assert.match(program.errors(), /^DATABASE_URL: the database cannot be used \(\w+\); check .*\n$/);
    }
  });

  it('names a taken port, a missing certificate and a bad file of clients', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => blocker.once('listening', resolve));
    const port = String((blocker.address() as AddressInfo).port);
    const base = { DATABASE_URL: folder.url('mistakes.sqlite'), DEMO: 'false', PORT: '0' };
    await writeFile(folder.path('clients.json'), '[{"client_name":"no id"}]');
    const programs = [
      [run([], { ...base, PORT: port }), /^PORT: \d+ is taken/m],
      [run([], { ...base, TLS_CERT: folder.path('none.pem'), TLS_KEY: folder.path('none.pem') }), /^TLS_CERT: .* cannot be read \(ENOENT\)/m],
      [run([], { ...base, CLIENTS_FILE: folder.path('clients.json') }), /^CLIENTS_FILE: .*client_id$/m],
      [run([], { ...base, CLIENTS_FILE: folder.path('none.json') }), /^CLIENTS_FILE: .*ENOENT/m],
    ] as const;
    for (const [program, expected] of programs) {
      assert.equal(await program.ended(), 1);
      assert.match(program.errors(), expected);
      assert.ok(!/^\s+at /m.test(program.errors()), 'no stack trace');
    }
    blocker.close();
  });

  it('serves in development on a key of its own making, stops on a signal, and starts again on the same', async () => {
    // A folder of its own: the key of another test would do here as well.
    const env = { DATABASE_URL: folder.url('development/tandem.sqlite'), PORT: '0', DEMO: 'false' };
    const file = folder.path('development', 'encryption.key');
    const kids: string[][] = [];
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const program = run(['start'], env);
      const { issuer } = await program.ready();
      const { keys } = (await (await fetch(`${issuer}/jwks`)).json()) as { keys: Array<{ kid: string }> };
      kids.push(keys.map(({ kid }) => kid).sort());
      program.kill(signal);
      assert.equal(await program.ended(), 0, program.errors());
      assert.match(program.output(), /stopping/);
      assert.equal(/made an encryption key/.test(program.output()), signal === 'SIGTERM');
      await assert.rejects(fetch(`${issuer}/jwks`));
    }
    assert.deepEqual(kids[0], kids[1]);
    assert.equal(((await stat(file)).mode & 0o777).toString(8), '600');
    assert.equal((await readFile(file, 'utf8')).trim().length, 43);
  });

  it('says which setting is wrong when the database was written under another key', async () => {
    const program = run(['keys', 'list'], { DATABASE_URL: folder.url('development/tandem.sqlite'), ENCRYPTION_KEY: newEncryptionKey() });
    assert.equal(await program.ended(), 1);
    assert.match(program.errors(), /^ENCRYPTION_KEY: the database was written under another key/);
  });

  it('migrates, lists and rotates keys, and rolls back', async () => {
    const env = { DATABASE_URL: folder.url('commands.sqlite'), LOG_LEVEL: 'error' };
    async function tell(...args: string[]) {
      const program = run(args, env);
      assert.equal(await program.ended(), 0, program.errors());
      return program.output();
    }
    await tell('migrate');
    assert.match(await tell('keys', 'rotate'), /sign from 20\d\d-/);
    const before = (await tell('keys', 'list')).trim().split('\n');
    assert.equal(before.length, 8);
    assert.equal(before.filter((line) => line.includes('signs from')).length, 4);
    assert.match(await tell('keys', 'rotate', '--now'), /from now on/);
    const after = await tell('keys', 'list');
    assert.equal(after.match(/retired/g)?.length, 4);
    assert.match(after, /published until/);
    assert.match(await tell('rollback', '--yes'), /taken back/);
  });

  it('logs JSON in production, and no secret', async () => {
    const key = newEncryptionKey();
    const env = { NODE_ENV: 'production', ENCRYPTION_KEY: key, ISSUER: 'http://localhost:3000', HOST: '127.0.0.1', PORT: '0', DATABASE_URL: folder.url('production.sqlite'), LOG_LEVEL: 'trace' };
    const program = run(['start'], env);
    const { issuer, demo } = await program.ready();
    assert.equal(issuer, 'http://localhost:3000');
    assert.equal(demo, undefined);
    program.kill('SIGTERM');
    assert.equal(await program.ended(), 0);
    const lines = program.output().trim().split('\n');
    for (const line of lines) assert.equal(typeof (JSON.parse(line) as { level: number }).level, 'number');
    assert.ok(!program.output().includes(key) && !program.errors().includes(key));
  });
});

onEachDatabase('processes that start at once', (database) => {
  it('migrate once, and make one set of keys between them', async () => {
    const env = { DATABASE_URL: await database.url(), ENCRYPTION_KEY: newEncryptionKey(), LOG_LEVEL: 'error' };
    const programs = [1, 2, 3].map(() => run(['keys', 'list'], env));
    const lists: string[] = [];
    for (const program of programs) {
      assert.equal(await program.ended(), 0, program.errors());
      lists.push(program.output());
    }
    assert.equal(lists[0]!.trim().split('\n').length, 8);
    assert.deepEqual(lists, [lists[0], lists[0], lists[0]]);
  });
});
