/** Owns nonces: that none is used twice with one key, and where they stand in a sealed packet. */
import { randomFillSync } from 'node:crypto';
import { RtpError } from '../errors.js';
import { putU32, U32 } from '../protocol/bytes.js';
import type { ModeTraits } from '../protocol/encryption-mode.js';

/** Nonces of one cipher. Both methods return the same array, written anew each time. */
export interface NonceSource {
  /** Bytes of it that are sent behind the tag. */
  readonly sentBytes: number;
  /**
   * The next one to seal with.
   *
   * @throws RtpError `ERR_RTP_NONCE_EXHAUSTED` when all were used.
   */
  next(packet: Uint8Array, clear: number): Uint8Array;
  /** The one a packet was sealed with, `end` being where the sent bytes begin. */
  of(packet: Uint8Array, clear: number, end: number): Uint8Array;
  /** What to begin with when another cipher shall go on with the same key. */
  readonly nextCounter: number;
}

const COUNTERS = U32 + 1;

/**
 * Makes the source of a mode.
 *
 * @param nonceBytes What the cipher takes; what a mode leaves over stays zero.
 * @param firstCounter Of 32 bits.
 */
export function createNonceSource(kind: ModeTraits['nonce'], nonceBytes: number, firstCounter: number): NonceSource {
  const nonce = new Uint8Array(nonceBytes);
  let counter = firstCounter;

  function count(): number {
    if (counter >= COUNTERS) {
      throw new RtpError('ERR_RTP_NONCE_EXHAUSTED', 'all 4,294,967,296 nonces of this key are used');
    }
    counter += 1;
    return counter - 1;
  }

  if (kind === 'counter') {
    return {
      sentBytes: 4,
      get nextCounter() {
        return counter;
      },
      next() {
        putU32(nonce, 0, count());
        return nonce;
      },
      of(packet, _clear, end) {
        for (let n = 0; n < 4; n += 1) nonce[n] = packet[end + n] as number;
        return nonce;
      },
    };
  }
  if (kind === 'suffix') {
    // Twenty random bytes and a counter: no two packets of this cipher share one, and no two ciphers by any odds.
    const prefix = randomFillSync(new Uint8Array(nonceBytes - 4));
    return {
      sentBytes: nonceBytes,
      get nextCounter() {
        return counter;
      },
      next() {
        nonce.set(prefix);
        putU32(nonce, prefix.length, count());
        return nonce;
      },
      of(packet, _clear, end) {
        nonce.set(packet.subarray(end, end + nonceBytes));
        return nonce;
      },
    };
  }
  const header = (packet: Uint8Array, clear: number): Uint8Array => {
    nonce.fill(0, clear);
    nonce.set(packet.subarray(0, clear));
    return nonce;
  };
  // The mode gives no choice: a packet's header is its nonce, and as unique as the sender's numbers make it.
  return { sentBytes: 0, nextCounter: firstCounter, next: header, of: header };
}
