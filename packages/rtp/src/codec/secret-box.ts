/** Owns the seam between packet layouts and cipher libraries. */

/** Bytes of the authentication tag of every cipher. */
export const TAG_BYTES = 16;
/** Bytes of every mode's key. */
export const KEY_BYTES = 32;

/** Which library does the arithmetic. */
export type CipherBackend = 'node:crypto' | 'libsodium-wrappers' | 'sodium-native';

/**
 * One cipher with one key, working on whole packets. `clear` bytes at the front are copied as they are, and
 * authenticated where the cipher can; the text follows. The nonce is read before anything is written.
 */
export interface SecretBox {
  readonly backend: CipherBackend;
  /** Bytes of its nonce. */
  readonly nonceBytes: 12 | 24;
  /**
   * Encrypts what is behind the clear bytes.
   *
   * @param extra Bytes to leave free at the end of the result.
   * @returns A new array: the clear bytes, text and tag in the cipher's order, `extra` bytes to be written.
   */
  seal(packet: Uint8Array, clear: number, nonce: Uint8Array, extra: number): Uint8Array;
  /**
   * Decrypts what is between the clear bytes and `end`.
   *
   * @returns A new array: clear bytes and plain text. `undefined` when the tag does not fit.
   */
  open(packet: Uint8Array, clear: number, end: number, nonce: Uint8Array): Uint8Array | undefined;
}

/** Makes the box of a key. */
export type SecretBoxFactory = (key: Uint8Array) => SecretBox;
