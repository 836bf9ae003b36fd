import { verify } from '@node-rs/argon2';
import { createHashing } from '../../../src/accounts/hashing.ts';
import { saturate } from '../saturate.ts';
import { serve } from './serve.ts';

/** Argon2id with the accounts' own parameters and nothing else: the ceiling of every server that checks passwords. */
await serve(async () => {
  const password = 'a long enough pass phrase of hers';
  const hashed = await createHashing().hash(password);
  return {
    listener: (_request, response) => response.writeHead(404).end(),
    calls: { verify: (seconds: number) => saturate(() => verify(hashed, password), seconds) },
  };
});
