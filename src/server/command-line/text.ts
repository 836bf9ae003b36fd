/** Rows of text as columns of a terminal. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
  return rows.map((row) => row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ').trimEnd()).join('\n');
}

/** A table with a head, or a sentence where it has no rows. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], none: string): string {
  return rows.length > 0 ? columns([head.map((cell) => cell.toUpperCase()), ...rows]) : none;
}

/** Names and values, a line each; those without a value are left out. */
export function fields(entries: readonly (readonly [name: string, value: string | undefined])[]): string {
  return columns(entries.filter((entry): entry is readonly [string, string] => entry[1] !== undefined && entry[1] !== ''));
}

/** An instant for people. */
export function instant(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

/** An instant for programs. */
export function iso(milliseconds: number): string;
export function iso(milliseconds: number | undefined): string | undefined;
export function iso(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString();
}

/** How many there are, with the word for it. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
