import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';
import { BACKEND, backendOf, consentAtOnce, SHARED } from './clients.ts';
import { serve } from './serve.ts';

const { BENCH_CLIENTS = '0' } = process.env;
const backends = Array.from({ length: Number(BENCH_CLIENTS) }, (_, index) => backendOf(index));

/** oidc-provider with its in-memory adapter, and no Tandem: what everything is measured against. */
await serve(async (issuer) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const provider = new Provider(issuer, {
    ...SHARED,
    clients: [...SHARED.clients, ...backends.map(({ id, secret }) => ({ ...BACKEND, client_id: id, client_secret: secret }))],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'bench', use: 'sig', alg: 'ES256' } as never] },
    cookies: { keys: ['bench-cookie-key'] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email'] },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, email: 'ada@example.com' }) }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    rotateRefreshToken: true,
    issueRefreshToken: (_ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    ttl: { AccessToken: 3600, ClientCredentials: 3600, AuthorizationCode: 60, IdToken: 3600, RefreshToken: 86_400, Interaction: 3600, Session: 86_400, Grant: 86_400 },
  });
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    ctx.respond = false;
    await consentAtOnce(provider, ctx as never, 'ada');
  });
  return { listener: provider.callback(), calls: { backends: () => backends } };
});
