import { createPublicKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { JWK } from 'jose';
import { UsageError, command, type Command } from '../command-line/command.ts';
import { parseObject, readText } from '../command-line/read.ts';
import { withRegistry } from '../with-tandem.ts';
import { clientKeyJson } from './shapes.ts';

/** `tandem clients keys …`: the public keys that the provider hosts for a client with `private_key_jwt`. */
export const clientKeys: readonly Command[] = [
  command({
    name: 'clients keys add',
    about: 'hosts a public key: a JWK, a JWK set or PEM, of a file or -',
    operands: ['<client>', '<file>'],
    run: ({ operands: [id, file], json }) => withRegistry(json, async ({ admin, actor }) => {
      const added = [];
      for (const jwk of publicKeys(await readText(file!), file!)) added.push(await admin.clients.addKey(id!, jwk as never, actor));
      return {
        json: { keys: added.map(clientKeyJson) },
        text: added.map(({ kid, algorithm }) => `hosts ${kid} (${algorithm})`).join('\n'),
      };
    }),
  }),
  command({
    name: 'clients keys generate',
    about: 'makes a key pair and hosts its public part; the private one is printed once',
    operands: ['<client>'],
    options: {
      alg: { value: 'ALG', about: 'ES256 (the default), RS256, PS256 or EdDSA' },
      out: { value: 'FILE', about: 'writes the private key into a new file that its owner alone may read, instead of printing it' },
    },
    run: ({ operands: [id], given, json }) => withRegistry(json, async ({ admin, actor }) => {
      const { out } = given;
      // Made first: a key that could not be written down would be of no use to anybody.
      if (out !== undefined) await create(out, '');
      const { key, privateKey } = await admin.clients.generateKey(id!, given.alg, actor);
      if (out !== undefined) await writeFile(out, `${JSON.stringify(privateKey, undefined, 2)}\n`);
      return {
        json: { key: clientKeyJson(key), ...(out === undefined ? { private_key: privateKey } : { file: out }) },
        text: out === undefined ? privateKeyText(privateKey) : `hosts ${key.kid} (${key.algorithm}); the private key is in ${out}`,
      };
    }),
  }),
  command({
    name: 'clients keys remove',
    about: 'hosts a key no longer; what it signs counts no more',
    operands: ['<client>', '<kid>'],
    run: ({ operands: [id, kid], json }) => withRegistry(json, async ({ admin, actor }) => {
      await admin.clients.removeKey(id!, kid!, actor);
      return { json: { client_id: id, kid, removed: true }, text: `${kid} counts no more` };
    }),
  }),
];

/** A private key for people to copy, once. */
export function privateKeyText(privateKey: object): string {
  return `${JSON.stringify(privateKey, undefined, 2)}\n\nThe private key is not kept here, and not shown again.`;
}

function publicKeys(text: string, file: string): readonly JWK[] {
  if (text.includes('PRIVATE KEY-----')) throw new UsageError(`${file} is a private key: keep it, and give its public part (openssl pkey -in ${file} -pubout)`);
  if (text.trimStart().startsWith('-----BEGIN')) return [pemKey(text, file)];
  const value = parseObject(text, file === '-' ? 'standard input' : file);
  return Array.isArray(value['keys']) ? (value['keys'] as JWK[]) : [value];
}

function pemKey(text: string, file: string): JWK {
  try {
    return createPublicKey(text).export({ format: 'jwk' }) as JWK;
  } catch {
    throw new UsageError(`${file} is not a public key`);
  }
}

async function create(file: string, content: string): Promise<void> {
  await writeFile(file, content, { flag: 'wx', mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(error.code === 'EEXIST' ? `${file} is there already` : `${file} cannot be written (${error.code})`);
  });
}
