import type { Context as KoaContext } from 'koa';
import type { AccountItem } from '../../accounts/items.ts';
import type { AuditEvent } from '../../audit/audit.ts';
import { clientLine } from './clients/listing.ts';
import { ADMIN, SECTIONS, type Desk } from './desk.ts';
import { clientPath, nameOr } from './references.ts';

/** Events of administration, by the room that emits them; all others are left to the audit log. */
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  client: ['created', 'updated', 'deleted', 'secret_added', 'secret_removed', 'key_added', 'key_removed', 'registered', 'self_updated', 'self_deleted'],
  resource_server: ['created', 'updated', 'deleted'],
  scope: ['put', 'deleted'],
  registration_token: ['created', 'revoked', 'used'],
  role: ['granted', 'revoked'],
};
const SHOWN = 8;
const LIST = 5;

/** The way here on the page of an administrator's account; on that of others there is none. */
export function adminItem({ admin, views }: Pick<Desk, 'admin' | 'views'>): AccountItem {
  return async (ctx, accountId) => {
    if (!(await admin.isAdmin(accountId))) return undefined;
    return { title: views.text(ctx, 'admin.title'), text: views.text(ctx, 'admin.item_text'), path: ADMIN, link: views.text(ctx, 'admin.item_link') };
  };
}

/** The first page of the administration: what there is, and what was changed lately. */
export function overviewPage(desk: Desk): void {
  const { admin, registration, say, time } = desk;

  async function changes(): Promise<AuditEvent[]> {
    const found: AuditEvent[] = [];
    for (const room of Object.keys(CHANGES)) found.push(...(await admin.audit.list({ name: `${room}.*` }, { limit: SHOWN })).events);
    const known = found.filter(({ name }) => {
      const [room = '', what = ''] = name.split('.');
      return CHANGES[room]?.includes(what);
    });
    return known.sort((a, b) => b.id - a.id).slice(0, SHOWN);
  }

  const emailOf = (accountId: string) => admin.accounts.get(accountId).then(({ email }) => email, () => accountId);

  /** Who did it, as far as the event tells. */
  async function actorOf(ctx: KoaContext, { data, clientId }: AuditEvent): Promise<string> {
    const actor = data['actor'] as { kind?: string; id?: string } | undefined;
    if (!actor?.kind || actor.id === undefined) return clientId === undefined ? '' : say(ctx, 'by_client', { id: clientId });
    return say(ctx, `by_${actor.kind.replace('-', '_')}`, { id: actor.kind === 'account' ? await emailOf(actor.id) : actor.id });
  }

  /** What it was done to, and the page of that where there is one. */
  async function objectOf({ clientId, accountId, data }: AuditEvent): Promise<{ about: string; path: string }> {
    if (clientId !== undefined) {
      const client = await admin.clients.get(clientId).catch(() => undefined);
      return { about: client ? nameOr(client.metadata, clientId) : clientId, path: client ? clientPath(clientId) : '' };
    }
    if (accountId !== undefined) return { about: await emailOf(accountId), path: '' };
    const words = [data['resourceServer'], data['scope'], data['label']].filter((each) => typeof each === 'string' && each !== '');
    return { about: words.join(' · '), path: '' };
  }

  desk.page({ path: ADMIN }, async (ctx) => {
    const [{ clients, cursor }, resources] = [await admin.clients.list({}, { limit: LIST }), await admin.resources.list()];
    const tokens = registration ? (await admin.registrationTokens.list({ limit: 200 })).tokens : [];
    const events = [];
    for (const event of await changes()) {
      const meta = [time(ctx, event.at), await actorOf(ctx, event)].filter(Boolean).join(' · ');
      events.push({ title: say(ctx, `event_${event.name.replace('.', '_')}`), ...(await objectOf(event)), meta });
    }
    const data = {
      clients: clients.map((client) => clientLine(desk, ctx, client)),
      more: cursor !== undefined,
      resources: resources.length,
      scopes: resources.reduce((sum, { scopes }) => sum + scopes.length, 0),
      registration,
      open: tokens.filter(({ state }) => state === 'open').length,
      events,
      sections: SECTIONS,
      newClient: `${SECTIONS.clients}/new`,
    };
    desk.show(ctx, 'admin/overview', data, { section: 'overview', title: say(ctx, 'title') });
  });
}
