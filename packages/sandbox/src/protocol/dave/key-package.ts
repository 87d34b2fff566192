/**
 * Owns key packages and leaf nodes (RFC 9420 sections 7.2 and 10) as members send them in op 26. Refuses to check
 * signatures: `codec/dave/` does, with the bytes that this file names.
 */
import { createReader, type MlsParsed, type MlsReader } from './bytes.js';
import {
  BASIC_CREDENTIAL,
  CIPHERSUITE,
  LeafNodeSource,
  MAX_KEY_PACKAGE_BYTES,
  MLS_VERSION,
  POINT_BYTES,
  UNCOMPRESSED,
  WireFormat,
} from './constants.js';

/** A leaf node with a basic credential. Views of the message. */
export interface LeafNode {
  readonly encryptionKey: Uint8Array;
  readonly signatureKey: Uint8Array;
  /** What the basic credential says: a user id in DAVE. */
  readonly identity: Uint8Array;
  readonly source: number;
  /** Of a key package's leaf. */
  readonly lifetime: { readonly notBefore: bigint; readonly notAfter: bigint } | undefined;
  readonly hasExtensions: boolean;
  /** What the signature is over, but for the group that a commit's leaf is bound to. */
  readonly signedPart: Uint8Array;
  readonly signature: Uint8Array;
}

/** A key package. Views of the message. */
export interface KeyPackage {
  readonly initKey: Uint8Array;
  readonly leaf: LeafNode;
  readonly signedPart: Uint8Array;
  readonly signature: Uint8Array;
  /** The KeyPackage itself, without MLSMessage's header: what Add proposals hold and references are of. */
  readonly raw: Uint8Array;
}

/** A public key has to be an uncompressed point; whether it is on the curve is the codec's to say. */
function publicKey(reader: MlsReader): Uint8Array {
  const key = reader.vector();
  reader.require(key.length === POINT_BYTES && key[0] === UNCOMPRESSED);
  return key;
}

/** Reads a leaf node where the reader stands. */
export function readLeafNode(reader: MlsReader): LeafNode {
  const from = reader.at;
  const encryptionKey = publicKey(reader);
  const signatureKey = publicKey(reader);
  reader.require(reader.u16() === BASIC_CREDENTIAL);
  const identity = reader.vector();
  // Capabilities: versions, ciphersuites, extensions, proposals, credentials. Clients check them.
  for (let n = 0; n < 5; n += 1) reader.vector();
  const source = reader.u8();
  reader.require(source >= LeafNodeSource.KeyPackage && source <= LeafNodeSource.Commit);
  const lifetime =
    source === LeafNodeSource.KeyPackage ? { notBefore: reader.u64(), notAfter: reader.u64() } : undefined;
  // The parent hash of a commit's leaf.
  if (source === LeafNodeSource.Commit) reader.vector();
  const hasExtensions = reader.vector().length > 0;
  const signedPart = reader.since(from);
  const signature = reader.vector();
  return { encryptionKey, signatureKey, identity, source, lifetime, hasExtensions, signedPart, signature };
}

/**
 * Parses what op 26 carries. Unlike documented: Discord's libdave sends the bare KeyPackage (`0001 0002 …`), not the
 * MLSMessage (`0001 0005 …`) of the whitepaper. Both are taken.
 */
export function parseKeyPackage(payload: Uint8Array): MlsParsed<KeyPackage> {
  if (payload.length > MAX_KEY_PACKAGE_BYTES) return { ok: false, reason: 'oversized' };
  const reader = createReader(payload);
  let from = 0;
  reader.require(reader.u16() === MLS_VERSION);
  let second = reader.u16();
  if (second === WireFormat.KeyPackage) {
    from = reader.at;
    reader.require(reader.u16() === MLS_VERSION);
    second = reader.u16();
  }
  reader.require(second === CIPHERSUITE);
  const initKey = publicKey(reader);
  const leaf = readLeafNode(reader);
  reader.vector();
  const signedPart = reader.since(from);
  const signature = reader.vector();
  return reader.done({ initKey, leaf, signedPart, signature, raw: reader.since(from) });
}
