import type { Notice } from './writing.ts';

/** What brings notices to their accounts. */
export interface Carrier {
  /** Resolves once the notice is on its way; may be called again for the same one. */
  carry(notice: Notice, signal: AbortSignal): Promise<void>;
  /** Whether it needs an address. */
  readonly byMail: boolean;
}

/** That the address is refused for good: there is no use in trying again. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** One mailbox and nothing else: no second address, no header, no name that hides what it is. */
const ADDRESS = /^[^\s@<>()[\]\\,;:"\p{C}]{1,64}@[^\s@<>()[\]\\,;:"\p{C}]{1,253}$/u;
const MAILBOX = /^(?:([^<>"\p{C}]{0,100}) )?<([^<>]+)>$|^([^<>]+)$/u;

export function isAddress(text: string): boolean {
  return text.length <= 254 && ADDRESS.test(text);
}

/**
 * Reads a sender such as `Tandem <no-reply@id.example.com>`, or an address alone.
 *
 * @returns undefined when it is none
 */
export function readMailbox(text: string): { name: string; address: string } | undefined {
  const [, name = '', bracketed, bare = ''] = MAILBOX.exec(text.trim()) ?? [];
  const address = bracketed ?? bare;
  return isAddress(address) ? { name: name.trim(), address } : undefined;
}
