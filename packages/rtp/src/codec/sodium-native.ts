/**
 * Owns the same ciphers by sodium-native, a native addon that a user may install beside this package. It is never
 * required: without it, or where it has no build, libsodium-wrappers does the work.
 */
import type { SodiumBoxes } from './libsodium.js';
import { type SecretBox, TAG_BYTES } from './secret-box.js';

/** The part of sodium-native that is used; it has no types of its own. */
interface SodiumNative {
  crypto_aead_xchacha20poly1305_ietf_encrypt(
    text: Uint8Array,
    plain: Uint8Array,
    clear: Uint8Array,
    unused: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  /** Throws when the tag does not fit. */
  crypto_aead_xchacha20poly1305_ietf_decrypt(
    plain: Uint8Array,
    unused: null,
    text: Uint8Array,
    clear: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  crypto_secretbox_easy(box: Uint8Array, plain: Uint8Array, nonce: Uint8Array, key: Uint8Array): void;
  crypto_secretbox_open_easy(plain: Uint8Array, box: Uint8Array, nonce: Uint8Array, key: Uint8Array): boolean;
}

const NAMES = [
  'crypto_aead_xchacha20poly1305_ietf_encrypt',
  'crypto_aead_xchacha20poly1305_ietf_decrypt',
  'crypto_secretbox_easy',
  'crypto_secretbox_open_easy',
] as const satisfies readonly (keyof SodiumNative)[];

/** Loads it. Rejects when it is not installed, has no build for this machine, or lacks a function. */
export async function loadSodiumNative(): Promise<SodiumBoxes> {
  // Not a literal: neither compilers nor bundlers shall look for it.
  const name: string = 'sodium-native';
  const loaded = (await import(name)) as Partial<SodiumNative> & { readonly default?: Partial<SodiumNative> };
  const native = loaded.default ?? loaded;
  if (!NAMES.every((each) => typeof native[each] === 'function')) throw new TypeError(`${name} lacks a cipher`);
  return nativeBoxes(native as SodiumNative);
}

function nativeBoxes(native: SodiumNative): SodiumBoxes {
  const box = (
    encrypt: (text: Uint8Array, plain: Uint8Array, clear: Uint8Array, nonce: Uint8Array) => void,
    decrypt: (plain: Uint8Array, text: Uint8Array, clear: Uint8Array, nonce: Uint8Array) => boolean,
  ): SecretBox => ({
    backend: 'sodium-native',
    nonceBytes: 24,
    seal(packet, clear, nonce, extra) {
      const end = packet.length + TAG_BYTES;
      const sealed = Buffer.allocUnsafe(end + extra);
      const head = packet.subarray(0, clear);
      sealed.set(head);
      encrypt(sealed.subarray(clear, end), packet.subarray(clear), head, nonce);
      return sealed;
    },
    open(packet, clear, end, nonce) {
      const plain = Buffer.allocUnsafe(end - TAG_BYTES);
      const head = packet.subarray(0, clear);
      plain.set(head);
      return decrypt(plain.subarray(clear), packet.subarray(clear, end), head, nonce) ? plain : undefined;
    },
  });
  return {
    xchacha20poly1305: (key) =>
      box(
        (text, plain, clear, nonce) => {
          native.crypto_aead_xchacha20poly1305_ietf_encrypt(text, plain, clear, null, nonce, key);
        },
        (plain, text, clear, nonce) => {
          try {
            native.crypto_aead_xchacha20poly1305_ietf_decrypt(plain, null, text, clear, nonce, key);
            return true;
          } catch {
            return false;
          }
        },
      ),
    xsalsa20poly1305: (key) =>
      box(
        (text, plain, _clear, nonce) => native.crypto_secretbox_easy(text, plain, nonce, key),
        (plain, text, _clear, nonce) => native.crypto_secretbox_open_easy(plain, text, nonce, key),
      ),
  };
}
