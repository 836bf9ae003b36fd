/** Draws lines of text in a box. A line of two columns is a pair. */
export function drawBox(title: string, lines: ReadonlyArray<string | readonly [string, string]>): string {
  const wide = Math.max(0, ...lines.map((line) => (typeof line === 'string' ? 0 : line[0].length)));
  const text = lines.map((line) => (typeof line === 'string' ? line : `${line[0].padEnd(wide)}   ${line[1]}`));
  const width = Math.max(title.length + 1, ...text.map((line) => line.length));
  const body = text.map((line) => `│  ${line.padEnd(width)}  │`);
  return [`╭─ ${title} ${'─'.repeat(width - title.length)}─╮`, ...body, `╰${'─'.repeat(width + 4)}╯`].join('\n');
}
