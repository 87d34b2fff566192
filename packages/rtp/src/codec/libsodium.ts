/**
 * Owns XChaCha20-Poly1305 and XSalsa20-Poly1305 by libsodium-wrappers. Its functions allocate and free WASM memory for each
 * argument of each call, which takes longer than encrypting a voice packet; so packets are worked on in one piece of memory
 * that is kept, through the functions beneath, where the library has them as expected.
 */
import type * as Sodium from 'libsodium-wrappers';
import { KEY_BYTES, type SecretBox, type SecretBoxFactory, TAG_BYTES } from './secret-box.js';

/** The ciphers of libsodium that Discord's modes use. */
export interface SodiumBoxes {
  readonly xchacha20poly1305: SecretBoxFactory;
  readonly xsalsa20poly1305: SecretBoxFactory;
}

const NAMES = [
  'crypto_aead_xchacha20poly1305_ietf_encrypt',
  'crypto_aead_xchacha20poly1305_ietf_decrypt',
  'crypto_secretbox_easy',
  'crypto_secretbox_open_easy',
] as const satisfies readonly (keyof typeof Sodium)[];

/** The documented part of the library that is used. */
export type SodiumModule = Pick<typeof Sodium, (typeof NAMES)[number]>;

/** The WASM module beneath, which the wrappers export as `libsodium`. Addresses are numbers; lengths have a high word. */
interface SodiumMemory {
  /** Replaced when the memory grows: never kept. */
  readonly HEAPU8: Uint8Array;
  _malloc(size: number): number;
  _crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
    text: number,
    tag: number,
    tagLength: number,
    plain: number,
    plainLength: number,
    plainLengthHigh: number,
    clear: number,
    clearLength: number,
    clearLengthHigh: number,
    unused: number,
    nonce: number,
    key: number,
  ): number;
  _crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
    plain: number,
    unused: number,
    text: number,
    textLength: number,
    textLengthHigh: number,
    tag: number,
    clear: number,
    clearLength: number,
    clearLengthHigh: number,
    nonce: number,
    key: number,
  ): number;
  _crypto_secretbox_easy(
    box: number,
    plain: number,
    length: number,
    lengthHigh: number,
    nonce: number,
    key: number,
  ): number;
  _crypto_secretbox_open_easy(
    plain: number,
    box: number,
    length: number,
    lengthHigh: number,
    nonce: number,
    key: number,
  ): number;
}

const NONCE_BYTES = 24;
/** The largest packet and its tag, with room to spare. */
const MEMORY_BYTES = 66_000;

/** Loads the library. The ciphers over its memory when that works as expected, else those over its documented functions. */
export async function loadLibsodium(): Promise<SodiumBoxes> {
  const loaded = await import('libsodium-wrappers');
  // Its ES module names few of its members, the default has all of them, whatever the types say; `require` has no default.
  const sodium = (loaded as { readonly default?: typeof loaded.default }).default ?? loaded;
  await sodium.ready;
  if (!NAMES.every((name) => typeof sodium[name] === 'function'))
    throw new TypeError('libsodium-wrappers lacks a cipher');
  const documented = documentedBoxes(sodium);
  const memory = (sodium as unknown as { readonly libsodium?: Partial<SodiumMemory> }).libsodium;
  return memoryBoxes(memory, documented) ?? documented;
}

/** Over the documented functions. */
export function documentedBoxes(sodium: SodiumModule): SodiumBoxes {
  const box = (
    encrypt: (text: Uint8Array, clear: Uint8Array, nonce: Uint8Array) => Uint8Array,
    decrypt: (text: Uint8Array, clear: Uint8Array, nonce: Uint8Array) => Uint8Array,
  ): SecretBox => ({
    backend: 'libsodium-wrappers',
    nonceBytes: NONCE_BYTES,
    seal(packet, clear, nonce, extra) {
      const head = packet.subarray(0, clear);
      const sealed = Buffer.allocUnsafe(packet.length + TAG_BYTES + extra);
      sealed.set(head);
      sealed.set(encrypt(packet.subarray(clear), head, nonce), clear);
      return sealed;
    },
    open(packet, clear, end, nonce) {
      const head = packet.subarray(0, clear);
      let text: Uint8Array;
      try {
        text = decrypt(packet.subarray(clear, end), head, nonce);
      } catch {
        return undefined;
      }
      const plain = Buffer.allocUnsafe(end - TAG_BYTES);
      plain.set(head);
      plain.set(text, clear);
      return plain;
    },
  });
  return {
    xchacha20poly1305: (key) =>
      box(
        (text, clear, nonce) => sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text, clear, null, nonce, key),
        (text, clear, nonce) => sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, text, clear, nonce, key),
      ),
    xsalsa20poly1305: (key) =>
      box(
        (text, _clear, nonce) => sodium.crypto_secretbox_easy(text, nonce, key),
        (text, _clear, nonce) => sodium.crypto_secretbox_open_easy(text, nonce, key),
      ),
  };
}

/**
 * Over the memory of the WASM module: one copy in, one out. `undefined` unless the module has what is needed and gives the
 * same bytes as the documented functions.
 */
export function memoryBoxes(
  memory: Partial<SodiumMemory> | undefined,
  documented: SodiumBoxes,
): SodiumBoxes | undefined {
  if (memory === undefined || !hasAll(memory)) return undefined;
  const boxes = boxesOver(memory);
  return agree(boxes, documented) ? boxes : undefined;
}

function hasAll(memory: Partial<SodiumMemory>): memory is SodiumMemory {
  return (
    memory.HEAPU8 instanceof Uint8Array &&
    [
      memory._malloc,
      memory._crypto_aead_xchacha20poly1305_ietf_encrypt_detached,
      memory._crypto_aead_xchacha20poly1305_ietf_decrypt_detached,
      memory._crypto_secretbox_easy,
      memory._crypto_secretbox_open_easy,
    ].every((each) => typeof each === 'function')
  );
}

/** All boxes share the memory: calls are synchronous, and each one brings key and nonce. */
function boxesOver(sodium: SodiumMemory): SodiumBoxes {
  const key = sodium._malloc(KEY_BYTES + NONCE_BYTES + MEMORY_BYTES);
  const nonce = key + KEY_BYTES;
  const work = nonce + NONCE_BYTES;

  function enter(secret: Uint8Array, nonceBytes: Uint8Array): Uint8Array {
    const heap = sodium.HEAPU8;
    heap.set(secret, key);
    heap.set(nonceBytes, nonce);
    return heap;
  }

  return {
    xchacha20poly1305: (secret) => ({
      backend: 'libsodium-wrappers',
      nonceBytes: NONCE_BYTES,
      seal(packet, clear, nonceBytes, extra) {
        const { length } = packet;
        const heap = enter(secret, nonceBytes);
        heap.set(packet, work);
        const text = work + clear;
        sodium._crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
          text,
          work + length,
          0,
          text,
          length - clear,
          0,
          work,
          clear,
          0,
          0,
          nonce,
          key,
        );
        const sealed = Buffer.allocUnsafe(length + TAG_BYTES + extra);
        sealed.set(heap.subarray(work, work + length + TAG_BYTES));
        return sealed;
      },
      open(packet, clear, end, nonceBytes) {
        const heap = enter(secret, nonceBytes);
        heap.set(packet.subarray(0, end), work);
        const text = work + clear;
        const textEnd = end - TAG_BYTES;
        const problem = sodium._crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
          text,
          0,
          text,
          textEnd - clear,
          0,
          work + textEnd,
          work,
          clear,
          0,
          nonce,
          key,
        );
        return problem === 0 ? copyOf(heap, work, textEnd) : undefined;
      },
    }),
    xsalsa20poly1305: (secret) => ({
      backend: 'libsodium-wrappers',
      nonceBytes: NONCE_BYTES,
      seal(packet, clear, nonceBytes, extra) {
        const heap = enter(secret, nonceBytes);
        // The tag comes first: the text moves up to make room for it, the clear bytes stay.
        heap.set(packet, work + TAG_BYTES);
        const length = packet.length - clear;
        sodium._crypto_secretbox_easy(work + clear, work + clear + TAG_BYTES, length, 0, nonce, key);
        const sealed = Buffer.allocUnsafe(packet.length + TAG_BYTES + extra);
        sealed.set(heap.subarray(work + clear, work + packet.length + TAG_BYTES), clear);
        sealed.set(packet.subarray(0, clear));
        return sealed;
      },
      open(packet, clear, end, nonceBytes) {
        const heap = enter(secret, nonceBytes);
        heap.set(packet.subarray(clear, end), work + clear);
        const text = work + clear;
        if (sodium._crypto_secretbox_open_easy(text, text, end - clear, 0, nonce, key) !== 0) return undefined;
        heap.set(packet.subarray(0, clear), work);
        return copyOf(heap, work, end - TAG_BYTES);
      },
    }),
  };
}

function copyOf(heap: Uint8Array, at: number, length: number): Uint8Array {
  const copy = Buffer.allocUnsafe(length);
  copy.set(heap.subarray(at, at + length));
  return copy;
}

/** Whether two sets of ciphers make the same bytes, open them, and refuse what was changed. */
function agree(ours: SodiumBoxes, theirs: SodiumBoxes): boolean {
  const key = Uint8Array.from({ length: KEY_BYTES }, (_, n) => n);
  const nonce = Uint8Array.from({ length: NONCE_BYTES }, (_, n) => 255 - n);
  const packet = Uint8Array.from({ length: 100 }, (_, n) => (n * 7) & 0xff);
  try {
    return (['xchacha20poly1305', 'xsalsa20poly1305'] as const).every((name) => {
      const [mine, other] = [ours[name](key), theirs[name](key)];
      const sealed = mine.seal(packet, 12, nonce, 0);
      if (Buffer.compare(sealed, other.seal(packet, 12, nonce, 0)) !== 0) return false;
      const opened = mine.open(sealed, 12, sealed.length, nonce);
      if (opened === undefined || Buffer.compare(opened, packet) !== 0) return false;
      sealed[50] = (sealed[50] as number) ^ 1;
      return mine.open(sealed, 12, sealed.length, nonce) === undefined;
    });
  } catch {
    return false;
  }
}
