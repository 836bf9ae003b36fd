import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { onEachDatabase } from '../support/databases.ts';
import { commandLine, type CommandLine, type Json } from './calls.ts';
import { temporaryFolder } from './program.ts';

onEachDatabase('accounts on the command line', (database) => {
  const folder = temporaryFolder();
  let tandem: CommandLine;
  before(async () => {
    tandem = commandLine(await database.url(), { ISSUER: 'https://id.example.com', MAIL_FOLDER: folder.path('mail') });
  });

  it('makes accounts and administrators, with a password made up or of a file', async () => {
    const ada = await tandem.call('accounts', 'create', 'Ada@example.com', '--name', 'Ada', '--admin');
    assert.deepEqual([ada.email, ada.name, ada.admin, ada.has_password], ['Ada@example.com', 'Ada', true, true]);
    assert.ok(ada.password.length >= 16);
    assert.ok(!JSON.stringify(await tandem.call('audit', 'list')).includes(ada.password));

    await writeFile(folder.path('password'), 'seven blue lanterns over Ghent\n');
    const grace = await tandem.call('accounts', 'create', 'grace@example.com', '--password-file', folder.path('password'));
    assert.deepEqual([grace.admin, grace.password], [false, undefined]);
    await writeFile(folder.path('short'), 'short');
    assert.equal((await tandem.fail('accounts', 'create', 'eve@example.com', '--password-file', folder.path('short'))).error, 'weak_password');
    assert.equal((await tandem.fail('accounts', 'create', 'grace@example.com')).error, 'email_taken');
    assert.match(await tandem.tell('accounts', 'list'), /^Ada@example.com +Ada +administrator +password +20\d\d-/m);
    assert.deepEqual((await tandem.call('accounts', 'list', '--search', 'grace')).accounts.map(({ email }: Json) => email), ['grace@example.com']);
    assert.deepEqual((await tandem.call('accounts', 'list', '--admins')).accounts.map(({ email }: Json) => email), ['Ada@example.com']);
  });

  it('gives and takes the role, the last administrator’s too', async () => {
    assert.equal((await tandem.call('accounts', 'grant-admin', 'grace@example.com')).admin, true);
    assert.equal((await tandem.call('accounts', 'revoke-admin', 'grace@example.com')).admin, false);
    assert.equal((await tandem.call('accounts', 'revoke-admin', 'ada@example.com')).admin, false);
    const { events } = await tandem.call('audit', 'list', '--name', 'role.*', '--account', 'ada@example.com');
    assert.deepEqual(events.map(({ name }: Json) => name), ['role.revoked', 'role.granted']);
    assert.deepEqual((await tandem.call('audit', 'list', '--name', 'role.*', '--until', '2020-01-01')).events, []);
    assert.equal((await tandem.call('audit', 'list', '--name', 'role.*', '--since', '1h')).events.length, 4);
    assert.match((await tandem.fail('audit', 'list', '--since', 'yesterday')).error_description, /^--since must be an instant/);
  });

  it('gives a client an account to look after, and takes it back', async () => {
    const { client_id: id } = await tandem.call('clients', 'create', '--grant-type', 'client_credentials');
    const { subject } = await tandem.call('clients', 'accounts', 'give', id, 'grace@example.com');
    assert.match(subject, /^[\da-f-]{36}$/);
    assert.deepEqual((await tandem.call('clients', 'accounts', 'list', id)).accounts.map((each: Json) => each.subject), [subject]);
    await tandem.call('clients', 'accounts', 'take', id, 'grace@example.com');
    assert.deepEqual((await tandem.call('clients', 'accounts', 'list', id)).accounts, []);
    assert.equal((await tandem.fail('clients', 'accounts', 'give', 'nobody', 'grace@example.com')).error, 'not_found');
  });

  it('asks how a phone was lost, and knows only phones that there are', async () => {
    assert.match((await tandem.fail('devices', 'revoke', 'x')).error_description, /--lost or --retired/);
    assert.match((await tandem.fail('devices', 'revoke', 'x', '--lost', '--retired')).error_description, /--lost or --retired/);
    assert.equal((await tandem.fail('devices', 'revoke', '7d0f3a52-1f0b-4a58-8a8e-6b1f3c9d2e44', '--lost')).error, 'not_found');
  });
});
