import type { ClientRegistry } from '../../clients/types.ts';
import type { ResourceRegistry } from '../../resources/types.ts';
import { AppError } from '../../errors.ts';
import type { AdminService } from '../types.ts';

/** Creates what makes the registry what a document says. */
export function createApply(_parts: { clients: ClientRegistry; resources: ResourceRegistry }): AdminService['apply'] {
  return async () => {
    throw new AppError('temporarily_unavailable', 'not yet');
  };
}
