/**
 * Owns sealing and opening of whole RTP and RTCP packets in each of Discord's modes. Layouts are in
 * `protocol/encryption-mode.ts`, arithmetic in the boxes. Refuses to hand out keys, and to throw at what arrives.
 */
import { check, resolveOptions } from '@guildkit/core';
import { RtpError } from '../errors.js';
import {
  clearLength,
  ENCRYPTION_MODES,
  type EncryptionMode,
  isEncryptionMode,
  type ModeTraits,
  traitsOf,
} from '../protocol/encryption-mode.js';
import { failure, type Parsed } from '../protocol/result.js';
import type { Settings } from '../settings.js';
import { createAesGcmBox } from './aes-gcm.js';
import { loadLibsodium, type SodiumBoxes } from './libsodium.js';
import { createNonceSource } from './nonce.js';
import { type CipherBackend, KEY_BYTES, type SecretBox, TAG_BYTES } from './secret-box.js';
import { loadSodiumNative } from './sodium-native.js';

/** Options of {@link createPacketCipher}. */
export interface PacketCipherOptions {
  /**
   * Counter of the first nonce. Pass the `nextNonce` of the cipher before when the same key goes on being used.
   *
   * @defaultValue 0
   */
  readonly firstNonce?: number | undefined;
  /**
   * Library for the modes of libsodium. AES-256-GCM is always done by node:crypto.
   *
   * @defaultValue `auto`: sodium-native where it is installed, else libsodium-wrappers
   */
  readonly sodium?: 'auto' | 'libsodium-wrappers' | 'sodium-native' | undefined;
}

/** Seals and opens the packets of one session. Both directions share the key, each side has its own nonces. */
export interface PacketCipher {
  readonly mode: EncryptionMode;
  /** The library that does the arithmetic. */
  readonly backend: CipherBackend;
  /** Bytes a sealed packet is longer than the plain one. */
  readonly overhead: number;
  /** Counter of the next nonce; 2³² when all are used. Without meaning in `xsalsa20_poly1305`, which has none. */
  readonly nextNonce: number;
  /**
   * Encrypts a plain RTP or RTCP packet.
   *
   * @returns A new array.
   * @throws RtpError `ERR_RTP_PACKET_INVALID` for what is no packet, `ERR_RTP_NONCE_EXHAUSTED` when no nonce is left.
   */
  seal(packet: Uint8Array): Uint8Array;
  /**
   * Decrypts a datagram. Never throws.
   *
   * @returns A new array: the whole plain packet, for `parseRtp` or `parseRtcp`; or why it is none.
   */
  open(packet: Uint8Array): Parsed<Uint8Array>;
}

type SodiumChoice = Settings<PacketCipherOptions>['sodium'];

const DEFAULTS: Settings<PacketCipherOptions> = { firstNonce: 0, sodium: 'auto' };

/** No datagram is larger (65,507), and the work memory of libsodium has room for it. */
const MAX_PACKET_BYTES = 65_535;
const MAX_PLAIN_BYTES = 65_000;

/**
 * Makes the cipher of a session.
 *
 * @param mode As the session description names it.
 * @param key `secret_key` of the session description: 32 bytes. Copied.
 * @throws RtpError (rejects) `ERR_RTP_MODE_UNKNOWN`, `ERR_RTP_KEY_INVALID`, or `ERR_RTP_CIPHER_UNAVAILABLE` when the
 * library cannot be loaded.
 * @throws TypeError (rejects) for an option that is unknown or out of range.
 *
 * @example
 * ```ts
 * import { createPacketCipher, parseRtp } from '@guildkit/rtp';
 *
 * const cipher = await createPacketCipher('aead_aes256_gcm_rtpsize', new Uint8Array(32));
 * const opened = cipher.open(new Uint8Array(60));
 * const parsed = opened.ok ? parseRtp(opened.value) : opened;
 * if (parsed.ok) console.log(parsed.value.sequenceNumber);
 * else console.log('dropped:', parsed.reason);
 * ```
 */
export async function createPacketCipher(
  mode: EncryptionMode,
  key: Uint8Array | readonly number[],
  options?: PacketCipherOptions,
): Promise<PacketCipher> {
  const { firstNonce, sodium } = resolveOptions('createPacketCipher', DEFAULTS, options, {
    firstNonce: check.integer(0, 2 ** 32),
    sodium: check.oneOf('auto', 'libsodium-wrappers', 'sodium-native'),
  });
  if (!isEncryptionMode(mode)) {
    throw new RtpError('ERR_RTP_MODE_UNKNOWN', `no such mode. Known: ${ENCRYPTION_MODES.join(', ')}`);
  }
  const traits = traitsOf(mode);
  const box = await boxOf(traits, keyOf(key), sodium);
  return cipherOf(mode, traits, box, firstNonce);
}

function cipherOf(mode: EncryptionMode, traits: ModeTraits, box: SecretBox, firstNonce: number): PacketCipher {
  const { clear: rule, overhead } = traits;
  const nonces = createNonceSource(traits.nonce, box.nonceBytes, firstNonce);
  const { sentBytes } = nonces;
  // Closures, not fields: nothing that prints or copies the cipher meets the key.
  return {
    mode,
    backend: box.backend,
    overhead,
    get nextNonce() {
      return nonces.nextCounter;
    },
    seal(packet) {
      const clear = clearLength(rule, packet);
      if (clear === undefined || packet.length > MAX_PLAIN_BYTES) {
        throw new RtpError('ERR_RTP_PACKET_INVALID', 'not a plain RTP or RTCP packet of at most 65,000 bytes');
      }
      const nonce = nonces.next(packet, clear);
      const sealed = box.seal(packet, clear, nonce, sentBytes);
      if (sentBytes > 0) sealed.set(nonce.subarray(0, sentBytes), sealed.length - sentBytes);
      return sealed;
    },
    open(packet) {
      if (packet.length > MAX_PACKET_BYTES) return failure('oversized');
      const clear = clearLength(rule, packet);
      const end = packet.length - sentBytes;
      if (clear === undefined) return failure(isVersion2(packet) ? 'truncated' : 'version');
      if (end < clear + TAG_BYTES) return failure('truncated');
      const plain = box.open(packet, clear, end, nonces.of(packet, clear, end));
      return plain === undefined ? failure('forged') : { ok: true, value: plain };
    },
  };
}

/** An empty packet is short of its version, not of another one. */
const isVersion2 = (packet: Uint8Array): boolean => packet.length === 0 || (packet[0] as number) >> 6 === 2;

function keyOf(key: Uint8Array | readonly number[]): Uint8Array {
  const fits =
    key !== null &&
    typeof key === 'object' &&
    key.length === KEY_BYTES &&
    Array.prototype.every.call(
      key,
      (byte: unknown) => Number.isInteger(byte) && (byte as number) >= 0 && (byte as number) <= 255,
    );
  // Never the value: it is a secret, if not this one's.
  if (!fits) throw new RtpError('ERR_RTP_KEY_INVALID', `the key must be ${KEY_BYTES} bytes`);
  return Uint8Array.from(key);
}

async function boxOf({ cipher }: ModeTraits, key: Uint8Array, sodium: SodiumChoice): Promise<SecretBox> {
  if (cipher === 'aes-256-gcm') return createAesGcmBox(key);
  const boxes = await sodiumBoxes(sodium);
  return cipher === 'xchacha20-poly1305' ? boxes.xchacha20poly1305(key) : boxes.xsalsa20poly1305(key);
}

async function sodiumBoxes(wanted: SodiumChoice): Promise<SodiumBoxes> {
  try {
    if (wanted === 'libsodium-wrappers') return await libsodium();
    if (wanted === 'sodium-native') return await sodiumNative();
    // Not being there is the usual case, not a failure.
    return await sodiumNative().catch(() => libsodium());
  } catch (cause) {
    throw new RtpError('ERR_RTP_CIPHER_UNAVAILABLE', `${wanted} could not be loaded`, cause);
  }
}

/** Loaded once and shared: the work memory of libsodium is. A failure is remembered, too: installing needs a restart. */
const once = <T>(load: () => Promise<T>): (() => Promise<T>) => {
  let loaded: Promise<T> | undefined;
  return () => {
    loaded ??= load();
    return loaded;
  };
};
const libsodium = once(loadLibsodium);
const sodiumNative = once(loadSodiumNative);
