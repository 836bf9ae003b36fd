import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { ConfigError, SETTINGS, describeSettings, readConfig } from '../../src/server/config.ts';

const key = randomBytes(32).toString('base64url');
const production = { NODE_ENV: 'production', ENCRYPTION_KEY: key, ISSUER: 'https://id.example.com' };

describe('server/config', () => {
  it('needs nothing in development', () => {
    const config = readConfig({});
    assert.equal(config.production, false);
    assert.equal(config.port, 3000);
    assert.equal(config.host, '127.0.0.1');
    assert.equal(config.databaseUrl, 'sqlite:./data/tandem.sqlite');
    assert.equal(config.dataFolder, resolve('data'));
    assert.deepEqual(config.demo, { port: 3001 });
    assert.deepEqual(config.mail, { smtpUrl: undefined, from: undefined, folder: resolve('data/mail') });
    assert.equal(config.trustedProxies, 0);
    assert.equal(config.level, 1);
    assert.equal(config.openTwoCallApi, false);
  });

  it('reads every setting', () => {
    const older = randomBytes(32).toString('base64url');
    const config = readConfig({
      ...production, ENCRYPTION_KEY: `${key}, ${older}`, PORT: '8443', HOST: '::', TRUST_PROXY: '2', DEMO: 'yes', DEMO_PORT: '9000',
      DATABASE_URL: 'postgres://tandem@db/tandem', TLS_CERT: 'c.pem', TLS_KEY: 'k.pem', LOG_LEVEL: 'warn',
      LEVEL: '2', INSECURE_UNAUTHENTICATED_2FA_API: 'true', AUDIT_DAYS: '400', SMTP_URL: 'smtps://tandem:pw@mail.example.com', MAIL_FROM: 'ACME <id@example.com>', MAIL_FOLDER: '/var/mail/acme', PHONE_ORIGIN: 'https://phone.example.com/', CLIENTS_FILE: 'clients.json', THEME_NAME: ' ACME ', THEME_LOGO: 'https://cdn.example.com/l.svg',
    });
    assert.deepEqual(config, {
      production: true, issuer: 'https://id.example.com', port: 8443, host: '::', databaseUrl: 'postgres://tandem@db/tandem',
      encryptionKeys: [key, older], dataFolder: resolve('data'), trustedProxies: 2, tls: { cert: 'c.pem', key: 'k.pem' }, logLevel: 'warn',
      level: 2, openTwoCallApi: true, auditDays: 400, mail: { smtpUrl: 'smtps://tandem:pw@mail.example.com', from: 'ACME <id@example.com>', folder: '/var/mail/acme' }, demo: { port: 9000 }, phoneOrigin: 'https://phone.example.com', clientsFile: 'clients.json',
      theme: { name: 'ACME', logo: 'https://cdn.example.com/l.svg' },
    });
  });

  it('takes an empty variable for one that is not given, and true or false for a proxy', () => {
    assert.equal(readConfig({ PORT: '', ISSUER: ' ' }).port, 3000);
    assert.equal(readConfig({ TRUST_PROXY: 'true' }).trustedProxies, 1);
    assert.equal(readConfig({ TRUST_PROXY: 'false' }).trustedProxies, 0);
    assert.equal(readConfig({ ISSUER: 'https://id.example.com/' }).issuer, 'https://id.example.com');
    assert.equal(readConfig({ DATABASE_URL: 'sqlite::memory:' }).dataFolder, undefined);
    assert.equal(readConfig({ DATABASE_URL: 'sqlite:///var/lib/tandem/t.sqlite' }).dataFolder, '/var/lib/tandem');
    assert.equal(readConfig({ DATABASE_URL: 'sqlite:///var/lib/tandem/t.sqlite' }).mail.folder, '/var/lib/tandem/mail');
  });

  const bad: Array<[variable: keyof typeof SETTINGS, values: string[]]> = [
    ['NODE_ENV', ['prod']],
    ['ISSUER', ['id.example.com', 'http://id.example.com', 'https://id.example.com/path', 'https://id.example.com?x', 'https://me:pw@id.example.com', 'ftp://localhost']],
    ['PORT', ['http', '-1', '65536', '80.5']],
    ['DATABASE_URL', ['mongodb://db', 'data.sqlite', 'sqlite:']],
    ['ENCRYPTION_KEY', ['password', `${key}=`, `${key},`, `${key},${key}`, 'A'.repeat(64)]],
    ['TRUST_PROXY', ['10.0.0.1', '-1', '1.5', 'yes']],
    ['LOG_LEVEL', ['verbose']],
    ['INSECURE_UNAUTHENTICATED_2FA_API', ['maybe', '2']],
    ['LEVEL', ['0', '3', 'two', '2:qr']],
    ['SMTP_URL', ['mail.acme.test', 'http://mail.acme.test', 'smtp://', 'smtps://user:hunter2@']],
    ['MAIL_FROM', ['Tandem', 'no-reply@', 'a@example.com, b@example.com', 'Tandem <a@example.com>\nBcc: b@example.com', 'a b@example.com']],
    ['AUDIT_DAYS', ['0', '-1', '1.5', 'always', '123456']],
    ['DEMO', ['maybe']],
    ['DEMO_PORT', ['99999']],
    ['PHONE_ORIGIN', ['http://phone.example.com']],
    ['THEME_NAME', ['x'.repeat(61)]],
    ['THEME_LOGO', ['javascript:alert(1)', 'http://cdn.example.com/l.svg']],
  ];
  for (const [variable, values] of bad) {
    for (const value of values) {
      it(`refuses ${variable}=${value.slice(0, 40)} in one line that names it`, () => {
        assert.throws(() => readConfig({ [variable]: value }), (error) => {
          assert.ok(error instanceof ConfigError);
          assert.match(error.message, new RegExp(`^${variable}: .{10,}$`));
          if (['ENCRYPTION_KEY', 'SMTP_URL'].includes(variable)) assert.ok(!error.message.includes(value));
          return true;
        });
      });
    }
  }

  it('refuses half a certificate', () => {
    assert.throws(() => readConfig({ TLS_CERT: 'c.pem' }), /^ConfigError: TLS_KEY: /);
    assert.throws(() => readConfig({ TLS_KEY: 'k.pem' }), /^ConfigError: TLS_CERT: /);
  });

  it('demands an encryption key and an issuer in production, and says how to make the key', () => {
    assert.throws(() => readConfig({ ...production, ENCRYPTION_KEY: undefined }), /ENCRYPTION_KEY: .*tandem secret/);
    assert.throws(() => readConfig({ ...production, ISSUER: undefined }), /ISSUER: /);
    assert.equal(readConfig(production).demo, undefined);
    assert.equal(readConfig(production).host, '0.0.0.0');
  });

  it('describes every setting', () => {
    for (const name of Object.keys(SETTINGS)) assert.match(describeSettings(), new RegExp(`^  ${name} `, 'm'));
  });
});
