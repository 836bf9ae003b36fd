/** What Tandem must know of an account; Tandem's own accounts satisfy it, and so can a host's. */
export interface AccountDirectory {
  /** The words by which a person recognises the account, or undefined when there is no such account. */
  find(accountId: string): Promise<DirectoryEntry | undefined>;
}

export interface DirectoryEntry {
  readonly accountId: string;
  readonly label: string;
  readonly name: string | undefined;
  /** Where notices about the account's security go; without it, they go to the host's hook alone. */
  readonly email?: string | undefined;
  /** The language of the notices, as a BCP 47 tag; English where it is unknown. */
  readonly locale?: string | undefined;
}
