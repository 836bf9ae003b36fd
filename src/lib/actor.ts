/**
 * Who does what an administrator may do: a person at the admin pages, a client at the admin API (for itself, or for a person), whoever runs the command
 * line, or the host's own program. Kept with what was done in the audit log.
 */
export interface Actor {
  readonly kind: 'account' | 'client' | 'command-line' | 'host';
  /** The account's id, the client's id, the user's name on that machine, or what the host calls itself. */
  readonly id: string;
  /** The client by which an account acts, where it is the admin API. */
  readonly clientId?: string | undefined;
  /** The network address, where there is one. */
  readonly address?: string | undefined;
  /** The scopes of the provider's own API that it may hand on to clients: nobody gives what they do not have. */
  readonly authority: 'all' | ReadonlySet<string>;
}

/** An actor as the audit log keeps it. */
export interface ActorRecord {
  readonly kind: Actor['kind'];
  readonly id: string;
  readonly client?: string;
}

/** What events carry of an actor. */
export function actedBy({ kind, id, clientId, address }: Actor): { readonly actor: ActorRecord; readonly address?: string } {
  return { actor: { kind, id, ...(clientId !== undefined && { client: clientId }) }, ...(address !== undefined && { address }) };
}
