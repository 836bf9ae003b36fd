import type { Context as KoaContext } from 'koa';
import * as z from 'zod';
import type { Actor } from '../../../lib/actor.ts';
import { SECTIONS, type Desk } from '../desk.ts';
import { fieldsOf, type FormValues } from '../fields.ts';
import { grantBoxes, grantsOf, isTickedIn, refuseUnknown } from '../grants.ts';
import { problemOf, type Problem } from '../problems.ts';
import { clientPath, nameOr } from '../references.ts';
import { KIND_DEFAULTS, KIND_FIELDS, KINDS, newClientOf, type Kind } from './kinds.ts';
import { snippetsOf } from './snippets.ts';

const NEW = `${SECTIONS.clients}/new`;
const kindField = z.enum(KINDS);
const formBody = z.object({ kind: kindField }).catchall(z.string().max(20_000));

/** The pages on which a client is made: what it is, what it needs, and what it is told once. */
export function clientCreation(desk: Desk): void {
  const { admin, views, say } = desk;

  async function showForm(ctx: KoaContext, kind: Kind, values: FormValues, problem?: Problem) {
    const resources = await admin.resources.list();
    const specs = KIND_FIELDS[kind];
    const data = {
      kind,
      fields: fieldsOf(desk, ctx, specs.filter(({ name }) => name !== 'client_id'), values, problem),
      more: fieldsOf(desk, ctx, specs.filter(({ name }) => name === 'client_id'), values, problem),
      moreOpen: problem?.field === 'client_id' || Boolean(values['client_id']),
      grants: grantBoxes(views, ctx, resources, isTickedIn(values)),
      action: NEW,
      kinds: NEW,
      list: SECTIONS.clients,
    };
    desk.show(ctx, 'admin/clients/new', data, { section: 'clients', title: say(ctx, 'new_client'), problem });
  }

  async function create(kind: Kind, values: FormValues, actor: Actor) {
    refuseUnknown(values, KIND_FIELDS[kind].map(({ name }) => name));
    const grants = grantsOf(await admin.resources.list(), values);
    const { metadata, generateKey } = newClientOf(kind, values);
    const all = { ...metadata, ...(Object.keys(grants).length > 0 && { tandem_resources: grants }) };
    return admin.clients.create(all, actor, { ...(generateKey && { generateKey }) });
  }

  desk.page({ path: NEW, query: z.object({ kind: kindField.optional().catch(undefined) }) }, async (ctx, { query: { kind } }) => {
    if (kind) return showForm(ctx, kind, KIND_DEFAULTS[kind]);
    const kinds = KINDS.map((each) => ({ title: say(ctx, `kind_${each}`), text: say(ctx, `kind_${each}_text`), path: `${NEW}?kind=${each}` }));
    desk.show(ctx, 'admin/clients/kinds', { kinds, list: SECTIONS.clients }, { section: 'clients', title: say(ctx, 'new_client') });
  });

  // Answers with the page itself: a secret is kept only as a hash, so that no second request could show it again.
  desk.form({ path: NEW, body: formBody, at: () => NEW }, async (ctx, { actor, body: { kind, ...values } }) => {
    let made: Awaited<ReturnType<typeof create>>;
    try {
      made = await create(kind, values, actor);
    } catch (error) {
      return showForm(ctx, kind, values, problemOf(desk, ctx, error));
    }
    const { client: { clientId, metadata }, secret, privateKey } = made;
    if (!secret && !privateKey) return desk.goOn(ctx, clientPath(clientId), 'client_created');
    const data = {
      name: nameOr(metadata, clientId),
      id: clientId,
      ...onceOf({ clientId, secret: secret?.value, privateKey }),
      snippets: snippetsOf({ issuer: desk.issuer, clientId, metadata, secret: secret?.value, privateKey }),
      next: clientPath(clientId),
    };
    desk.show(ctx, 'admin/clients/created', data, { section: 'clients', title: say(ctx, 'done_client_created'), status: 201 });
  });
}

/** What is shown once, as its views take it; a key also as a file. */
export function onceOf({ clientId, secret, privateKey }: { clientId: string; secret?: string | undefined; privateKey?: object | undefined }) {
  const json = privateKey && JSON.stringify(privateKey, null, 2);
  return {
    secret: secret ?? '',
    privateKey: json ?? '',
    download: json ? Buffer.from(`${json}\n`).toString('base64') : '',
    file: `${clientId.replace(/[^\w.-]/g, '_').slice(0, 60)}.private.jwk.json`,
  };
}
