/** What Tandem must know of an account; Tandem's own accounts satisfy it, and so can a host's. */
export interface AccountDirectory {
  /** The words by which a person recognises the account, or undefined when there is no such account. */
  find(accountId: string): Promise<{ accountId: string; label: string; name: string | undefined } | undefined>;
}
