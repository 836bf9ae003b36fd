/** How many of something were done, and in how many seconds. */
export interface Run {
  readonly count: number;
  readonly seconds: number;
}

/** How many things happen at once. */
export const WIDTH = 16;

/** Does `work` over and over, many at a time, for some seconds; work that fails ends the measurement. */
export async function saturate(work: (worker: number) => Promise<unknown>, seconds: number): Promise<Run> {
  const began = performance.now();
  const end = began + seconds * 1000;
  let count = 0;
  await Promise.all(
    Array.from({ length: WIDTH }, async (_, worker) => {
      while (performance.now() < end) {
        await work(worker);
        count += 1;
      }
    }),
  );
  return { count, seconds: (performance.now() - began) / 1000 };
}
