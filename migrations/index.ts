import type { Migration } from '../src/lib/database/migrate.ts';

/** Every migration, in the order of its name. Each room adds its own. */
export const migrations: readonly Migration[] = [];
