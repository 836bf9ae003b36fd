import assert from 'node:assert/strict';
import { createHttpBrowser } from '../support/http-browser.ts';
import { run, temporaryFolder } from '../server/program.ts';

describe('the first run', function () {
  this.timeout(90_000);
  const folder = temporaryFolder();

  it('starts provider and relying site, and shows the passwords of demo account and administrator once', async () => {
    const env = { DATABASE_URL: folder.url('tandem.sqlite'), PORT: '0', DEMO_PORT: '0' };
    const first = run(['start'], env);
    const { issuer, demo, administrator } = await first.ready();
    assert.ok(demo?.password && administrator?.password);
    const shown = [demo.url, `${issuer}/phone`, issuer, demo.email, demo.password, `${issuer}/admin`, administrator.email, administrator.password, 'not shown again'];
    for (const words of shown) assert.ok(first.output().includes(words), words);

    const browser = createHttpBrowser();
    assert.match((await browser.get(demo.url)).text, /Sign in with your phone/);
    const signIn = await browser.get(`${demo.url}/sign-in`);
    assert.ok(signIn.url.startsWith(`${issuer}/interaction/`));
    const consent = await browser.submit(signIn, '/password', { email: demo.email, password: demo.password });
    const greeting = await browser.submit(consent, '/consent');
    assert.equal(greeting.url, `${demo.url}/`);
    assert.match(greeting.text, /Hello Demo Person/);
    browser.close();

    first.kill('SIGTERM');
    assert.equal(await first.ended(), 0, first.errors());
    await assert.rejects(fetch(demo.url), 'the relying site has gone too');

    const second = run(['start'], env);
    const again = await second.ready();
    assert.equal(again.demo?.email, demo.email);
    assert.equal(again.demo?.password, undefined);
    assert.deepEqual(again.administrator, { email: administrator.email });
    for (const password of [demo.password, administrator.password]) assert.ok(!second.output().includes(password));
    second.kill('SIGTERM');
    assert.equal(await second.ended(), 0);
  });

  it('leaves no relying site behind when the provider is killed', async () => {
    const program = run(['start'], { DATABASE_URL: folder.url('killed.sqlite'), PORT: '0', DEMO_PORT: '0' });
    const { demo } = await program.ready();
    program.kill('SIGKILL');
    await program.ended();
    await assert.rejects(async () => {
      for (let tries = 0; tries < 1000; tries += 1) {
        await fetch(demo!.url);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
  });

  it('plays a sign-in in the terminal, and ends by itself', async () => {
    const program = run([], {}, 'src/demo/terminal.ts');
    assert.equal(await program.ended(), 0, program.errors());
    const output = program.output();
    assert.match(output, /Two Cups \(demo\)/);
    assert.match(output, /greets Ada/);
    assert.match(output, /"amr": \[\s+"swk",\s+"user",\s+"mca"\s+\]/);
    assert.match(output, /"acr": "urn:tandem:acr:1:qr"/);
    assert.match(output, /"aud": "two-cups"/);
  });
});
