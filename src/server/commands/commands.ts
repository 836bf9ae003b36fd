import type { Command } from '../command-line/command.ts';
import { accounts } from './accounts.ts';
import { apply } from './apply.ts';
import { audit } from './audit.ts';
import { clientKeys } from './client-keys.ts';
import { clients } from './clients.ts';
import { installation } from './installation.ts';
import { keys } from './keys.ts';
import { registrationTokens } from './registration-tokens.ts';
import { resourceServers } from './resource-servers.ts';
import { scopes } from './scopes.ts';

/** Every command but `start`, in the order of the help. */
export const commands: readonly Command[] = [
  ...installation,
  ...apply,
  ...clients,
  ...clientKeys,
  ...resourceServers,
  ...scopes,
  ...registrationTokens,
  ...accounts,
  ...keys,
  ...audit,
];
