import type { Context as KoaContext } from 'koa';
import { base64url, sha256 } from '../../lib/crypto.ts';
import { apiHeaders } from '../../lib/http/headers.ts';
import { openApiOf } from '../../lib/http/openapi.ts';
import { apiOf } from '../../lib/own-api.ts';
import { packageVersion } from '../../lib/views/package-root.ts';
import type { Resource } from '../../oidc/configuration/resources.ts';
import type { Frame } from '../frame.ts';

/** Where the document of the API is. */
const DOCUMENT_PATH = '/openapi.json';
/** Seconds that it may be kept. */
const KEPT_FOR = 300;

/** Serves the OpenAPI document of what is declared, where anything is: to any site, as it holds nothing but what the code says. */
export function addDocument({ context, options, api, oidc, resources, router }: Frame): void {
  if (api.operations.length === 0) return;
  let made: { text: string; tag: string } | undefined;

  async function make() {
    const [resource, name] = [apiOf(context.issuer), options.theme?.name];
    const text = JSON.stringify(openApiOf(api.operations, {
      issuer: context.issuer,
      resource,
      title: `The API of ${name ?? 'Tandem'}`,
      version: packageVersion(),
      scopes: wordsOf(await resources.find(resource)),
      tokenUrl: oidc.endpoint('token'),
      authorizationUrl: oidc.endpoint('authorization'),
    }), undefined, 2);
    return { text, tag: `"${base64url(sha256(text))}"` };
  }

  router.get(DOCUMENT_PATH, async (anyCtx) => {
    const ctx = anyCtx as unknown as KoaContext;
    apiHeaders(ctx);
    const { text, tag } = (made ??= await make());
    ctx.set({ 'Access-Control-Allow-Origin': '*', 'Cache-Control': `public, max-age=${KEPT_FOR}`, ETag: tag });
    ctx.status = 200;
    ctx.type = 'json';
    if (ctx.fresh) ctx.status = 304;
    else ctx.body = text;
  });
}

/** In English: documents are for those who write programs. */
function wordsOf(resource: Resource | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(resource?.scopes ?? {}).map(([scope, given]) => {
    const words = typeof given === 'string' ? given : given.description;
    return [scope, typeof words === 'string' ? words : (words['en'] ?? scope)];
  }));
}
