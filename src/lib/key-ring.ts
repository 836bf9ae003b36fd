/** The encryption keys of an installation: the first encrypts, all decrypt. */
export interface KeyRing {
  /**
   * Encrypts with AES-256-GCM under the first key.
   *
   * @param place what the ciphertext is bound to, such as `tandem_signing_keys:kid`; moved elsewhere it does not decrypt
   */
  encrypt(plaintext: Uint8Array, place: string): string;
  /** Decrypts what {@link KeyRing.encrypt} made, under whichever key made it; throws when moved or altered. */
  decrypt(ciphertext: string, place: string): Uint8Array;
  /** A 32-byte subkey for one purpose, by HKDF-SHA-256, of each key in order: sign with the first, accept all. */
  derive(purpose: string): readonly [Uint8Array, ...Uint8Array[]];
}
