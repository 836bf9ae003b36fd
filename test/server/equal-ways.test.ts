import assert from 'node:assert/strict';
import { commands } from '../../src/server/commands/commands.ts';
import { operationsOf, startApi, type Document } from '../api/harness.ts';
import { onEachDatabase } from '../support/databases.ts';

/** What on the command line does the same as an operation of the admin API. */
const SAME: Readonly<Record<string, string>> = {
  listClients: 'clients list',
  createClient: 'clients create',
  getClient: 'clients show',
  updateClient: 'clients update',
  deleteClient: 'clients delete',
  addClientSecret: 'clients secrets add',
  removeClientSecret: 'clients secrets remove',
  addClientKey: 'clients keys add',
  generateClientKey: 'clients keys generate',
  removeClientKey: 'clients keys remove',
  listManagedAccounts: 'clients accounts list',
  giveAccount: 'clients accounts give',
  takeAccount: 'clients accounts take',
  listResourceServers: 'resource-servers list',
  createResourceServer: 'resource-servers create',
  getResourceServer: 'resource-servers show',
  updateResourceServer: 'resource-servers update',
  deleteResourceServer: 'resource-servers delete',
  getResourceServerUse: 'scopes used-by',
  putScope: 'scopes put',
  deleteScope: 'scopes delete',
  listRegistrationTokens: 'registration-tokens list',
  createRegistrationToken: 'registration-tokens create',
  revokeRegistrationToken: 'registration-tokens revoke',
  listAccounts: 'accounts list',
  createAccountAsAdministrator: 'accounts create',
  getAccount: 'accounts show',
  grantAdmin: 'accounts grant-admin',
  revokeAdmin: 'accounts revoke-admin',
  resetSecondFactor: 'accounts reset-second-factor',
  listDevices: 'accounts devices',
  revokeDevice: 'devices revoke',
  listKeys: 'keys list',
  rotateKeys: 'keys rotate',
  listAuditEvents: 'audit list',
  apply: 'apply',
};

onEachDatabase('the command line', (database) => {
  it('does all that the admin API does', async () => {
    const tandem = await startApi(database, 'opaque');
    try {
      const document = (await tandem.call('GET', '/openapi.json')).json as unknown as Document;
      const operations = operationsOf(document).filter(({ path }) => path.startsWith('/api/admin/')).map(({ operation }) => operation.operationId);
      assert.deepEqual([...operations].sort(), Object.keys(SAME).sort());
      const names = new Set(commands.map(({ name }) => name));
      assert.deepEqual(Object.values(SAME).filter((name) => !names.has(name)), []);
    } finally {
      await tandem.close();
    }
  });
});
