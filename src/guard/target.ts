/**
 * The URL that a request was for, with the origin (and path before it) that this server is known by: `Host` is its
 * sender's to write, and so is a target in absolute form (RFC 9112 §3.2.2).
 */
export function targetOf(base: string, requestTarget: string): string {
  if (requestTarget.startsWith('/')) return base + requestTarget;
  return base + (URL.canParse(requestTarget) ? new URL(requestTarget).pathname : '/');
}
