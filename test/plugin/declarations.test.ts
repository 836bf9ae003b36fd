import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** What a program that embeds Tandem may write, by the package's own declarations. */
const PROGRAM = `
import Koa from 'koa';
import { Provider } from 'oidc-provider';
import { accounts, ACR, admin, AppError, enrolment, openDatabase, protect, qr, tandem, totp, type Actor, type AdminAccount, type AdminService, type ApplyDocument, type EventHandlers, type NewSecret, type ResourceServer, type Tandem } from 'oidc-tandem';
import { on } from './handlers.js';

const issuer = 'https://id.example.com';
const handlers: EventHandlers = { ...on, 'client.updated': ({ clientId, before, after, actor }) => console.log(clientId, before['scope'], after['scope'], actor?.kind) };
const t: Tandem = tandem({
  db: openDatabase('sqlite:./tandem.sqlite'),
  issuer,
  secrets: { encryption: ['a key'] },
  features: [accounts(), qr(), totp(), enrolment(), admin({ registration: false })],
  api: { format: 'jwt' },
  on: handlers,
});
await t.migrate();
const provider = new Provider(issuer, t.configure({ clients: [] }));
provider.use(t.attach(provider));

const host: Actor = { kind: 'host', id: 'shop', authority: 'all' };
const service: AdminService = t.admin!;
const { client, secret, privateKey } = await service.clients.create({ client_name: 'Till', grant_types: ['client_credentials'] }, host, { generateKey: 'ES256' });
const next: NewSecret = await service.clients.addSecret(client.clientId, { endOthersIn: 3600 }, host);
const server: ResourceServer = await service.resources.create({ identifier: 'https://api.example.com', scopes: [{ name: 'read', description: { en: 'Read' }, level: 1 }] }, host);
const ada: AdminAccount = await service.accounts.setAdmin('ada@example.com', true, host);
const document: ApplyDocument = { resource_servers: [{ identifier: 'https://api.example.com', scopes: [{ name: 'read', description: 'Read' }] }], clients: [] };
for (const { action, kind, id } of (await service.apply(document, host, { dryRun: true })).steps) console.log(action, kind, id);
const { value } = await service.registrationTokens.create({ expiresIn: 600, policy: { grantTypes: ['authorization_code'] } }, host);
try {
  await service.clients.get('nobody');
} catch (error) {
  if (error instanceof AppError) console.log(error.code, secret?.value, privateKey?.kty, next.value, server.identifier, ada.phones, value);
}

const app = new Koa();
app.use(t.protect({ resource: 'https://api.example.com', scopes: ['read'], acr: ACR.two }));
app.use(protect({ issuer, audience: 'https://api.example.com', scopes: ['read'] }));
`;

const SETTINGS = { target: 'es2023', lib: ['es2023'], module: 'nodenext', strict: true, noEmit: true, skipLibCheck: false, types: ['node'] };

/** What the compiler says; nothing where it is content. */
function tsc(...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [TSC, ...args], { maxBuffer: 1e7 }, (_error, stdout) => resolve(stdout));
  });
}

/** The names of all events, as the rooms declare them. */
async function eventNames(): Promise<string[]> {
  const files = (await readdir(join(ROOT, 'src'), { recursive: true })).filter((file) => file.endsWith('events.ts'));
  const texts = await Promise.all(files.map((file) => readFile(join(ROOT, 'src', file), 'utf8')));
  return texts.flatMap((text) => [...text.matchAll(/^ {4}'([\w.]+)':/gm)].map(([, name]) => name!));
}

describe('the declarations of the package', () => {
  let folder: string;
  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'tandem-types-')));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('serve a program that embeds it, strictly and in every library', async () => {
    const installed = join(folder, 'node_modules/oidc-tandem');
    await mkdir(installed, { recursive: true });
    for (const name of await readdir(join(ROOT, 'node_modules'))) {
      if (!name.startsWith('.')) await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
    }
    await cp(join(ROOT, 'package.json'), join(installed, 'package.json'));
    await writeFile(join(folder, 'emit.json'), JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { noEmit: false, emitDeclarationOnly: true, declaration: true, rootDir: ROOT, outDir: join(installed, 'dist/types'), typeRoots: [join(ROOT, 'node_modules/@types')] },
      include: [],
      files: [join(ROOT, 'src/index.ts'), join(ROOT, 'src/phone/index.ts')],
    }));
    assert.equal(await tsc('-p', join(folder, 'emit.json')), '');

    const names = await eventNames();
    assert.ok(names.length > 50, names.join());
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    await writeFile(join(folder, 'handlers.ts'), `import type { EventHandlers } from 'oidc-tandem';\nexport const on: EventHandlers = {\n${names.map((name) => `  '${name}': ({ address }) => void address,\n`).join('')}};\n`);
    await writeFile(join(folder, 'program.ts'), PROGRAM);
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: SETTINGS, files: ['program.ts'] }));
    assert.equal(await tsc('-p', folder), '');
  }).timeout(240_000);
});
