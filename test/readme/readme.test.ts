import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { SETTINGS } from '../../src/server/config.ts';

const root = new URL('../../', import.meta.url);
const readme = readFileSync(new URL('README.md', root), 'utf8');
const packageJson = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { scripts: Record<string, string> };

/** The cells of the table rows below a heading. */
function tableUnder(heading: string): string[][] {
  const section = readme.split(new RegExp(`^#+ ${heading}$`, 'm'))[1]?.split(/^## /m)[0];
  assert(section, `README has a section “${heading}”`);
  return section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim()))
    .slice(1)
    .filter(([first]) => !first?.startsWith('---'));
}

describe('the README', () => {
  it('lists every setting of the server, with its default and meaning, and no other', () => {
    const wanted = Object.entries(SETTINGS).map(([name, { default: fallback, about }]) => [`\`${name}\``, fallback, about]);
    const written = tableUnder('Configuration').map(([name, fallback, ...about]) => [name, fallback?.replaceAll('`', ''), about.join('|')]);
    assert.deepEqual(written, wanted);
  });

  it('names only scripts that there are', () => {
    const named = [...readme.matchAll(/npm (?:run (\w+)|(start|test))/g)].map(([, script, short]) => script ?? short!);
    for (const script of named) assert(script in packageJson.scripts, script);
  });

  it('maps every room, and no room that is not there', () => {
    const written = tableUnder('Rooms').flatMap(([cell]) => [...cell!.matchAll(/`src\/([\w-]+)`/g)].map((match) => match[1]!));
    const rooms = readdirSync(new URL('src', root)).filter((name) => statSync(new URL(`src/${name}`, root)).isDirectory());
    assert.deepEqual(written.sort(), rooms.sort());
  });

  it('links to files and headings that exist', () => {
    const headings = [...readme.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title!.toLowerCase().replace(/[^\p{L}\d\s-]/gu, '').replace(/\s/g, '-'));
    for (const [, target] of readme.matchAll(/\]\(((?!https?:)[^)]+)\)/g)) {
      if (target!.startsWith('#')) assert(headings.includes(target!.slice(1)), target);
      else assert(existsSync(new URL(target!, root)), target);
    }
  });

  it('shows the two screens in a picture that is small', () => {
    assert(statSync(new URL('.github/two-screens.png', root)).size < 200_000);
  });
});
