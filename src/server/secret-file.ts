import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Reads a secret from a file that its owner alone may read (mode 0600), made on first use. When several processes come
 * at once, one makes it and all read the same.
 */
export async function readOrMakeSecret(file: string, make: () => string): Promise<{ secret: string; made: boolean }> {
  const found = await readIfThere(file);
  if (found) return { secret: found, made: false };

  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${make()}\n`, { mode: 0o600 });
  // The mode given above applies to new files alone.
  await chmod(draft, 0o600);
  // A link appears whole or not at all, and fails where another process was first.
  const made = await link(draft, file).then(() => true, (error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return false;
    throw error;
  });
  await rm(draft);
  const secret = await readIfThere(file);
  if (!secret) throw new Error(`${file} is empty: delete it, and a new one is made`);
  return { secret, made };
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim() || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
