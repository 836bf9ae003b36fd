/** The part of autocannon that the bench uses; the package carries no types. */
declare module 'autocannon' {
  interface Options {
    url: string;
    method?: string;
    headers?: Record<string, string>;
    body?: string;
    connections: number;
    duration: number;
    requests?: ReadonlyArray<{ path?: string; method?: string; headers?: Record<string, string>; body?: string; setupRequest?(request: object): object }>;
  }
  interface Result {
    readonly requests: { readonly total: number };
    readonly duration: number;
    readonly non2xx: number;
    readonly errors: number;
  }
  export default function autocannon(options: Options): Promise<Result>;
}
