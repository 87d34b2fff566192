/**
 * Owns ECDSA with P-256 and SHA-256 as MLS's ciphersuite 2 has them (RFC 9420 section 5.1, RFC 9180 section 7.1.1): keys as
 * uncompressed points, signatures as DER. Refuses to throw on keys and signatures that were received.
 */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';

/** Someone who signs. */
export interface Signer {
  /** Uncompressed point. */
  readonly publicKey: Uint8Array;
  sign(content: Uint8Array): Uint8Array;
}

/** The digest of the ciphersuite. */
export const sha256 = (content: Uint8Array): Uint8Array => createHash('sha256').update(content).digest();

/** A signer with a new key. */
export function createSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return {
    publicKey: Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]),
    sign: (content) => sign('sha256', content, privateKey),
  };
}

/** A received key, `undefined` when it is no point of the curve. */
function importPoint(point: Uint8Array): KeyObject | undefined {
  const coordinate = (from: number): string => Buffer.from(point.subarray(from, from + 32)).toString('base64url');
  try {
    // node:crypto refuses points that are not on the curve.
    return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x: coordinate(1), y: coordinate(33) } });
  } catch {
    return undefined;
  }
}

/** Whether an uncompressed point is on the curve. */
export const isOnCurve = (point: Uint8Array): boolean => importPoint(point) !== undefined;

/** Whether a signature is the key's. */
export function isSignedBy(point: Uint8Array, content: Uint8Array, signature: Uint8Array): boolean {
  const key = importPoint(point);
  try {
    return key !== undefined && verify('sha256', content, key, signature);
  } catch {
    return false;
  }
}
