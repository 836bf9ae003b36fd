/**
 * A test that needs what not every machine or database has. Where that is missing, the title itself says so, as mocha prints titles alone.
 *
 * @example
 * itWhere(hasOathtool, 'install oathtool', 'takes its codes', async () => { … });
 */
export function itWhere(met: boolean, without: string, title: string, test: () => Promise<void>): void {
  if (met) it(title, test);
  else {
    it(`SKIPPED, ${without}: ${title}`, function () {
      this.skip();
    });
  }
}
