import assert from 'node:assert/strict';
import { migrations } from '../../migrations/index.ts';
import { createDatabase } from '../../src/lib/database/database.ts';
import { migrate } from '../../src/lib/database/migrate.ts';
import { createSubjects } from '../../src/oidc/subjects/subjects.ts';
import { onEachDatabase } from '../support/databases.ts';

onEachDatabase('pairwise subjects', (database) => {
  async function twoProcesses() {
    const knex = await database.open();
    await migrate(knex, migrations);
    const db = createDatabase(knex);
    const clock = () => Date.now();
    return [createSubjects({ db, clock }), createSubjects({ db, clock })] as const;
  }

  it('are one for a sector and account, however many ask at once', async () => {
    const [one, other] = await twoProcesses();
    const all = await Promise.all(Array.from({ length: 100 }, (_, index) => (index % 2 ? one : other).of('client:a', 'account')));
    assert.equal(new Set(all).size, 1);
    assert.match(all[0]!, /^[0-9a-f-]{36}$/);
  });

  it('differ by sector, by account, and by letter case', async () => {
    const [subjects] = await twoProcesses();
    const all = [await subjects.of('client:a', 'x'), await subjects.of('client:b', 'x'), await subjects.of('client:a', 'X'), await subjects.of('group:a', 'x'), await subjects.of('client:A', 'x')];
    assert.equal(new Set(all).size, all.length);
  });

  it('lead back to the account in their own sector alone', async () => {
    const [subjects, other] = await twoProcesses();
    const subject = await subjects.of('client:a', 'x');
    assert.equal(await other.accountOf('client:a', subject), 'x');
    assert.equal(await other.accountOf('client:b', subject), undefined);
    assert.equal(await other.accountOf('client:a', subject.toUpperCase()), undefined);
  });
});
