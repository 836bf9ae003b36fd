import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ClientMetadata } from 'oidc-provider';
import { newEncryptionKey } from '../index.ts';
import { ConfigError } from './config.ts';
import { readOrMakeSecret } from './secret-file.ts';

export interface Demo {
  readonly url: string;
  /** What the relying site is registered with. */
  readonly client: ClientMetadata;
  stop(): Promise<void>;
}

const CLIENT_ID = 'two-cups';

/**
 * Starts the demo relying site, a program of its own that knows of us only the issuer's name and its client id and secret.
 *
 * @param options `program` is the file to run; `dataFolder` keeps the client secret from one start to the next
 */
export async function startDemo(options: {
  program: URL;
  issuer: string;
  port: number;
  dataFolder: string | undefined;
}): Promise<Demo> {
  const { program, issuer, port, dataFolder } = options;
  const secret = dataFolder
    ? (await readOrMakeSecret(join(dataFolder, 'demo-client-secret'), newEncryptionKey)).secret
    : newEncryptionKey();

  // It gets no more of our environment than it needs: least of all the encryption key.
  const { PATH, NODE_EXTRA_CA_CERTS } = process.env;
  const child = fork(program, {
    env: { PATH, NODE_EXTRA_CA_CERTS, ISSUER: issuer, CLIENT_ID, CLIENT_SECRET: secret, PORT: String(port) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const ready = once(child, 'message').then(([message]) => (message as { url: string }).url);
  const url = await Promise.race([ready, exited.then(() => undefined)]);
  if (url === undefined) throw new ConfigError(`DEMO_PORT: the demo relying site did not start on port ${port}; choose another port, or DEMO=false`);

  return {
    url,
    client: {
      client_id: CLIENT_ID,
      client_secret: secret,
      client_name: 'Two Cups (demo)',
      redirect_uris: [`${url}/callback`],
      post_logout_redirect_uris: [`${url}/signed-out`],
      id_token_signed_response_alg: 'ES256',
      token_endpoint_auth_method: 'client_secret_basic',
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}
