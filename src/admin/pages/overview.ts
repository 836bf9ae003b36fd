import type { Context as KoaContext } from 'koa';
import type { AuditEvent } from '../../audit/audit.ts';
import { clientLine, clientPath } from './clients/listing.ts';
import { ADMIN, SECTIONS, type Desk } from './desk.ts';

/** Events of administration, by the beginning of their names. */
const CHANGES = ['client.*', 'resource_server.*', 'scope.*', 'registration_token.*', 'role.*'];
const SHOWN = 8;
const LIST = 5;

/** The first page of the administration: what there is, and what was changed lately. */
export function overviewPage(desk: Desk): void {
  const { admin, say, time } = desk;

  async function changes(): Promise<AuditEvent[]> {
    const found: AuditEvent[] = [];
    for (const name of CHANGES) found.push(...(await admin.audit.list({ name }, { limit: SHOWN })).events);
    return found.sort((a, b) => b.id - a.id).slice(0, SHOWN);
  }

  /** Who did it, as far as the event tells. */
  async function actorOf(ctx: KoaContext, { data, clientId }: AuditEvent): Promise<string> {
    const actor = data['actor'] as { kind?: string; id?: string } | undefined;
    if (!actor?.kind || actor.id === undefined) return clientId === undefined ? '' : say(ctx, 'by_client', { id: clientId });
    if (actor.kind !== 'account') return say(ctx, `by_${actor.kind.replace('-', '_')}`, { id: actor.id });
    const email = await admin.accounts.get(actor.id).then((account) => account.email, () => actor.id ?? '');
    return say(ctx, 'by_account', { id: email });
  }

  desk.page({ path: ADMIN }, async (ctx) => {
    const [{ clients, cursor }, resources, { tokens }] = [await admin.clients.list({}, { limit: LIST }), await admin.resources.list(), await admin.registrationTokens.list({ limit: 200 })];
    const events = [];
    for (const event of await changes()) {
      const exists = event.clientId !== undefined && (await admin.clients.exists(event.clientId));
      events.push({ name: event.name, about: event.clientId ?? '', path: exists ? clientPath(event.clientId!) : '', meta: [time(ctx, event.at), await actorOf(ctx, event)].filter(Boolean).join(' · ') });
    }
    const open = tokens.filter(({ state }) => state === 'open').length;
    const data = {
      clients: clients.map((client) => clientLine(desk, ctx, client)),
      more: cursor !== undefined,
      resources: resources.length,
      scopes: resources.reduce((sum, { scopes }) => sum + scopes.length, 0),
      open,
      events,
      sections: SECTIONS,
      newClient: `${SECTIONS.clients}/new`,
    };
    desk.show(ctx, 'admin/overview', data, { section: 'overview', title: say(ctx, 'title') });
  });
}
