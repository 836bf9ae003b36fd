import * as z from 'zod';
import type { RegisteredClient } from '../../../clients/types.ts';
import type { Context as KoaContext } from 'koa';
import { AppError } from '../../../errors.ts';
import { SECTIONS, type Desk } from '../desk.ts';
import { clientPath, nameOr } from '../references.ts';
import { kindOf } from './kinds.ts';

const PAGE = 25;
const listQuery = z.object({ search: z.string().max(200).optional(), cursor: z.string().max(500).optional() });

/** A client as a line of a list. */
export function clientLine({ say, date }: Desk, ctx: KoaContext, { clientId, metadata, origin, createdAt }: RegisteredClient) {
  const words = [say(ctx, `kind_${kindOf(metadata)}`), say(ctx, origin === 'registration' ? 'registered_itself' : 'created_on', { date: date(ctx, createdAt) })];
  return { name: nameOr(metadata, clientId), id: clientId, meta: words.join(' · '), path: clientPath(clientId) };
}

/** The page on which clients are found. */
export function clientList(desk: Desk): void {
  desk.page({ path: SECTIONS.clients, query: listQuery }, async (ctx, { query: { search = '', cursor } }) => {
    const found = await desk.admin.clients.list({ ...(search.trim() && { search: search.trim() }) }, { limit: PAGE, ...(cursor && { cursor }) });
    const next = found.cursor === undefined ? '' : `${SECTIONS.clients}?${new URLSearchParams({ ...(search && { search }), cursor: found.cursor }).toString()}`;
    const data = { search, clients: found.clients.map((client) => clientLine(desk, ctx, client)), next, later: cursor !== undefined };
    desk.show(ctx, 'admin/clients/list', data, { section: 'clients', title: desk.say(ctx, 'clients_title') });
  });
}

/** The client that a path names. @throws AppError `not_found` */
export async function clientOf({ admin }: Desk, ctx: KoaContext & { params: Record<string, string> }): Promise<RegisteredClient> {
  const id = ctx.params['id'];
  if (!id) throw new AppError('not_found', 'there is no such client');
  return admin.clients.get(id);
}
