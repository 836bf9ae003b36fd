import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { snippetsOf } from '../../src/admin/pages/clients/snippets.ts';

describe('the snippets of a client', () => {
  const ISSUER = 'https://id.example.com';
  const snippet = (name: string, metadata: object) => snippetsOf({ issuer: ISSUER, clientId: 'shop', metadata: metadata as never }).find((each) => each.name === name)!.text;
  const shell = (script: string) => execFileSync('sh', ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

  it('ask for nothing where nothing was granted', () => {
    const machine = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
    assert.match(snippet('openid_client', machine), /^const tokens = await client\.clientCredentialsGrant\(config\);$/m);
    assert.match(snippet('openid_client', { ...machine, tandem_resources: { 'https://api.example': ['read'] } }), /clientCredentialsGrant\(config, \{\n {2}resource: 'https:\/\/api\.example',\n {2}scope: 'read',\n\}\);/);
  });

  it('run nothing that a client has put into its metadata', () => {
    for (const uri of ["https://shop.example/'$(echo${IFS}hacked)'", "https://shop.example/`echo${IFS}hacked`", 'https://shop.example/$HOME', "https://shop.example/';echo${IFS}hacked;'"]) {
      const env = snippet('env', { redirect_uris: [uri], grant_types: ['authorization_code'] });
      assert.equal(shell(`${env}\nprintf %s "$REDIRECT_URI"`), uri);
    }
    const resource = "https://api.example/'$(echo${IFS}hacked)'";
    const curl = snippet('curl', { grant_types: ['client_credentials'], redirect_uris: [], response_types: [], tandem_resources: { [resource]: ['read'] } });
    assert.ok(shell(`curl() { for each in "$@"; do printf '%s\\n' "$each"; done; }\n${curl}`).includes(`resource=${resource}\n`));
  });
});
