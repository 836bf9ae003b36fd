import type { AdminAccount } from '../../index.ts';
import { UsageError, command, type Command } from '../command-line/command.ts';
import { PAGE, more, pages } from '../command-line/pages.ts';
import { readText } from '../command-line/read.ts';
import { count, fields, instant, iso, table } from '../command-line/text.ts';
import { withRegistry } from '../with-tandem.ts';
import { accountJson, deviceJson, managedAccountJson } from './shapes.ts';

/** `tandem accounts …`, `tandem devices …`: people, and the phones that they approve with. */
export const accounts: readonly Command[] = [
  command({
    name: 'accounts list',
    about: 'lists the accounts',
    options: { search: { value: 'TEXT', about: 'part of an e-mail address or name' }, admins: { about: 'administrators alone' }, ...PAGE },
    run: ({ given, json }) => withRegistry(json, async ({ admin }) => {
      const { items, cursor } = await pages(given, async (page) => {
        const found = await admin.accounts.list({ search: given.search, ...(given.admins && { admin: true }) }, page);
        return { items: found.accounts, ...(found.cursor !== undefined && { cursor: found.cursor }) };
      });
      const rows = items.map((account) => [account.email, account.name ?? '', account.admin ? 'administrator' : '', factorsOf(account), iso(account.createdAt).slice(0, 10)]);
      return {
        json: { accounts: items.map(accountJson), ...(cursor !== undefined && { next_cursor: cursor }) },
        text: table(['account', 'name', 'role', 'signs in by', 'since'], rows, 'there are no such accounts') + more(cursor),
      };
    }),
  }),
  command({
    name: 'accounts show',
    about: 'tells about an account, by e-mail address or id',
    operands: ['<account>'],
    run: ({ operands: [account], json }) => withRegistry(json, async ({ admin }) => answerWith(await admin.accounts.get(account!))),
  }),
  command({
    name: 'accounts create',
    about: 'makes an account; a password that is made up is printed once',
    operands: ['<email>'],
    options: {
      name: { value: 'TEXT', about: 'the person’s name' },
      locale: { value: 'LANGUAGE', about: 'the language in which the account is written to: en, de, fr or nl' },
      admin: { about: 'makes it an administrator' },
      'password-file': { value: 'FILE', about: 'takes the password of this file, or - of standard input, instead of making one up' },
    },
    run: ({ operands: [email], given, json }) => withRegistry(json, async ({ admin, actor, issuer }) => {
      const file = given['password-file'];
      const chosen = file === undefined ? undefined : (await readText(file)).replace(/\r?\n$/, '');
      const { account, password } = await admin.accounts.create({ email: email!, name: given.name, locale: given.locale, admin: given.admin, password: chosen }, actor);
      return {
        json: { ...accountJson(account), ...(password !== undefined && { password }) },
        text: [
          fields([['ACCOUNT', account.email], ['ID', account.id], ['PASSWORD', password], ['SIGN IN', `${issuer}/${account.admin ? 'admin' : 'account'}`]]),
          ...(password === undefined ? [] : ['', 'The password is not shown again.']),
        ].join('\n'),
      };
    }),
  }),
  command({
    name: 'accounts grant-admin',
    about: 'makes an account an administrator',
    operands: ['<account>'],
    run: ({ operands: [account], json }) => withRegistry(json, async ({ admin, actor }) => answerWith(await admin.accounts.setAdmin(account!, true, actor))),
  }),
  command({
    name: 'accounts revoke-admin',
    about: 'makes it none; the last one too, unlike the pages',
    operands: ['<account>'],
    run: ({ operands: [account], json }) => withRegistry(json, async ({ admin, actor }) => answerWith(await admin.accounts.setAdmin(account!, false, actor))),
  }),
  command({
    name: 'accounts reset-second-factor',
    about: 'for who has lost everything: takes authenticators, phones and recovery codes away, and signs the account out. The password stays; the account is told',
    operands: ['<account>'],
    options: { yes: { about: 'does so' }, 'keep-phones': { about: 'leaves the phones' } },
    run: ({ operands: [name], given: { yes, 'keep-phones': keepPhones }, json }) => withRegistry(json, async ({ admin, actor }) => {
      const account = await admin.accounts.get(name!);
      if (!yes) {
        const phones = keepPhones ? '' : ', locks its phones out as lost';
        throw new UsageError(`this removes the authenticators and recovery codes of ${account.email}${phones} and signs it out everywhere; to do so: tandem accounts reset-second-factor ${account.email}${keepPhones ? ' --keep-phones' : ''} --yes`);
      }
      const { authenticators, phones, codes } = await admin.accounts.resetSecondFactor(account.id, { keepPhones }, actor);
      const done = authenticators + phones + codes > 0;
      return {
        json: { email: account.email, reset: done, authenticators, phones, recovery_codes: codes },
        text: done
          ? `${account.email}: authenticators removed: ${authenticators}, recovery codes removed: ${codes}, phones locked out: ${phones}; signed out everywhere, and the password stays`
          : `${account.email} has no second factor; nothing has been changed`,
      };
    }),
  }),
  command({
    name: 'accounts devices',
    about: 'lists the phones of an account',
    operands: ['<account>'],
    run: ({ operands: [account], json }) => withRegistry(json, async ({ admin }) => {
      const found = await admin.accounts.devices(account!);
      const rows = found.map((device) => [device.id, device.name, device.platform, device.state, device.userVerifying ? 'yes' : 'no', device.lastUsedAt === undefined ? 'never' : instant(device.lastUsedAt)]);
      return { json: { devices: found.map(deviceJson) }, text: table(['device', 'name', 'platform', 'state', 'verifies its user', 'used'], rows, 'it has no phones') };
    }),
  }),
  command({
    name: 'devices revoke',
    about: 'ends a phone, as lost (with the sessions and grants that it made) or as retired (without)',
    operands: ['<device-id>'],
    options: { lost: { about: 'it is lost or stolen' }, retired: { about: 'it is no longer used' } },
    run: ({ operands: [id], given, json }) => withRegistry(json, async ({ admin, actor }) => {
      if (given.lost === given.retired) throw new UsageError('say whether the phone is --lost or --retired');
      const device = await admin.accounts.revokeDevice(id!, given.lost ? 'lost' : 'retired', actor);
      return { json: deviceJson(device), text: `${device.name} is ended${given.lost ? ', with the sessions and grants that it made' : ''}` };
    }),
  }),
  command({
    name: 'clients accounts list',
    about: 'lists the accounts that a client manages: made by it, or given to it',
    operands: ['<client>'],
    options: PAGE,
    run: ({ operands: [id], given, json }) => withRegistry(json, async ({ admin }) => {
      const { items, cursor } = await pages(given, async (page) => {
        const found = await admin.accounts.managedBy(id!, page);
        return { items: found.accounts, ...(found.cursor !== undefined && { cursor: found.cursor }) };
      });
      const rows = items.map(({ accountId, subject, since }) => [accountId, subject, instant(since)]);
      return {
        json: { accounts: items.map(managedAccountJson), ...(cursor !== undefined && { next_cursor: cursor }) },
        text: table(['account', 'subject', 'since'], rows, 'it manages no accounts') + more(cursor),
      };
    }),
  }),
  command({
    name: 'clients accounts give',
    about: 'lets a client manage an account; answers the subject by which the client knows it',
    operands: ['<client>', '<account>'],
    run: ({ operands: [id, account], json }) => withRegistry(json, async ({ admin, actor }) => {
      const { subject } = await admin.accounts.giveTo(id!, account!, actor);
      return { json: { subject }, text: subject };
    }),
  }),
  command({
    name: 'clients accounts take',
    about: 'lets it manage the account no longer',
    operands: ['<client>', '<account>'],
    run: ({ operands: [id, account], json }) => withRegistry(json, async ({ admin, actor }) => {
      await admin.accounts.takeFrom(id!, account!, actor);
      return { json: { client_id: id, taken: true }, text: `${id} manages ${account} no longer` };
    }),
  }),
];

function factorsOf({ password, phones, authenticators }: AdminAccount): string {
  return [...(password ? ['password'] : []), ...(phones > 0 ? [count(phones, 'phone')] : []), ...(authenticators > 0 ? [count(authenticators, 'app')] : [])].join(', ');
}

function answerWith(account: AdminAccount) {
  const { id, email, name, admin, createdAt } = account;
  return {
    json: accountJson(account),
    text: fields([['account', email], ['id', id], ['name', name], ['role', admin ? 'administrator' : 'none'], ['signs in by', factorsOf(account)], ['since', instant(createdAt)]]),
  };
}
