import { calculateJwkThumbprint } from 'jose';
import type { ClientRegistry } from '../../clients/types.ts';
import { AppError } from '../../errors.ts';
import type { ResourceRegistry } from '../../resources/types.ts';
import type { AdminService } from '../types.ts';
import { planClientPruning, planClients } from './clients.ts';
import { readDocument } from './document.ts';
import type { Planned } from './plan.ts';
import { planResourcePruning, planResources } from './resources.ts';
import type { ApplyStep } from './types.ts';

/**
 * Creates what makes the registry what a document says. The steps are planned first, by what there is, and then done one by one, each in a
 * transaction of its own: where one is refused, those before it stay, and the document can be applied again.
 */
export function createApply({ clients, resources }: { clients: ClientRegistry; resources: ResourceRegistry }): AdminService['apply'] {
  return async (given, actor, { dryRun = false, prune = false } = {}) => {
    const { resource_servers: wantedServers = [], clients: wantedClients = [] } = readDocument(given);
    // Clients are granted scopes that there are, and hold them until they are gone.
    const planned = [
      ...(await planResources(wantedServers, resources, actor)),
      ...(await planClients(wantedClients, clients, thumbprintOf, actor)),
      ...(prune ? await planClientPruning(wantedClients, clients, actor) : []),
      ...(prune ? await planResourcePruning(wantedServers, resources, actor) : []),
    ];
    const steps: ApplyStep[] = [];
    for (const each of planned) steps.push(await take(each, dryRun, steps));
    return { dryRun, steps };
  };
}

async function thumbprintOf(key: object): Promise<string> {
  try {
    return await calculateJwkThumbprint(key as never);
  } catch (cause) {
    throw new AppError('invalid_request', 'managed_keys: there is one that is no JSON Web Key', { extra: { field: 'managed_keys' }, cause });
  }
}

/**
 * Does a step, or in a dry run finds out whether it would be refused.
 *
 * @throws AppError telling which step was refused, with `applied`, how many were done before
 */
async function take({ step, carryOut, check }: Planned, dryRun: boolean, done: readonly ApplyStep[]): Promise<ApplyStep> {
  try {
    if (!dryRun) return { ...step, ...(await carryOut?.()) };
    await check?.();
    return step;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const applied = dryRun ? 0 : done.filter(({ action }) => action !== 'unchanged').length;
    throw new AppError(error.code, `${step.kind.replace('_', ' ')} ${step.id}: ${error.message}`, { extra: { ...error.extra, applied }, cause: error });
  }
}
