/**
 * Owns what the voice gateway's binary messages hold (RFC 9420; DAVE whitepaper, ops 25, 27, 29, 30), as far as a client looks
 * into them before its MLS library does. Tagged results; nothing received makes it throw or read beyond the end.
 */

/** A message, or that it is none. */
export type MlsResult<T> = { readonly ok: true; readonly value: T } | { readonly ok: false };

const BAD = { ok: false } as const;

/** Larger than any message of a full channel; the library is not given more. */
export const MAX_MLS_BYTES = 1024 * 1024;

const POINT_BYTES = 65;
const UNCOMPRESSED = 4;
const BASIC = 1;
const MLS_10 = 1;
const PUBLIC_MESSAGE = 1;
const EXTERNAL_SENDER = 2;
const PROPOSAL = 2;
const ADD = 1;
const REMOVE = 3;
/** Leaf node sources (RFC 9420 section 7.2): the lifetime of a key package's, the parent hash of a commit's. */
const OF_KEY_PACKAGE = 1;
const OF_COMMIT = 3;

/** Reads forward; `-1` from `at` on means that something was wrong. */
interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

function skip(cursor: Cursor, length: number): number {
  const from = cursor.at;
  const fits = from >= 0 && length <= cursor.bytes.length - from;
  cursor.at = fits ? from + length : -1;
  return fits ? from : -1;
}

function number(cursor: Cursor, width: number): number {
  const from = skip(cursor, width);
  let value = 0;
  for (let n = 0; from >= 0 && n < width; n += 1) value = value * 256 + (cursor.bytes[from + n] as number);
  return value;
}

/** RFC 9420 section 2.1.2. */
function vector(cursor: Cursor): Uint8Array {
  const first = number(cursor, 1);
  const prefix = first >> 6;
  let length = first & 0x3f;
  if (prefix === 1) length = length * 2 ** 8 + number(cursor, 1);
  if (prefix === 2) length = length * 2 ** 24 + number(cursor, 3);
  const isShortest = prefix === 0 || length >= (prefix === 1 ? 2 ** 6 : 2 ** 14);
  if (prefix === 3 || !isShortest) cursor.at = -1;
  const from = skip(cursor, length);
  return from < 0 ? new Uint8Array(0) : cursor.bytes.subarray(from, from + length);
}

/** A proposal of the external sender. */
export interface GatewayProposal {
  readonly kind: 'add' | 'remove';
  readonly groupId: Uint8Array;
  readonly epoch: bigint;
  /** The MLSMessage. */
  readonly message: Uint8Array;
}

/** What op 27 carries. */
export type GatewayProposals =
  | { readonly type: 'append'; readonly proposals: readonly GatewayProposal[] }
  /** References, each with its length before it. */
  | { readonly type: 'revoke'; readonly references: readonly Uint8Array[] };

/** KeyPackage (RFC 9420 section 10): nothing of it is judged here, only where it ends. */
function skipKeyPackage(cursor: Cursor): void {
  number(cursor, 4); // version, ciphersuite
  for (let n = 0; n < 3; n += 1) vector(cursor); // init_key, encryption_key, signature_key
  number(cursor, 2); // credential_type
  // identity, and the five lists of the capabilities
  for (let n = 0; n < 6; n += 1) vector(cursor);
  const source = number(cursor, 1);
  if (source === OF_KEY_PACKAGE) skip(cursor, 16);
  if (source === OF_COMMIT) vector(cursor);
  // extensions and signature of the leaf node, then of the key package
  for (let n = 0; n < 4; n += 1) vector(cursor);
}

function readProposal(cursor: Cursor): GatewayProposal | undefined {
  const from = cursor.at;
  const isPublic = number(cursor, 2) === MLS_10 && number(cursor, 2) === PUBLIC_MESSAGE;
  const groupId = vector(cursor);
  const epoch = (BigInt(number(cursor, 4)) << 32n) | BigInt(number(cursor, 4));
  // "Clients must reject a proposal if it is not one of the allowed proposal types or is not sent by the expected external
  // sender": which has index 0 and signs. The library checks the signature.
  const isExternal = number(cursor, 1) === EXTERNAL_SENDER && number(cursor, 4) === 0;
  vector(cursor); // authenticated_data
  const isProposal = number(cursor, 1) === PROPOSAL;
  const type = number(cursor, 2);
  if (type === ADD) skipKeyPackage(cursor);
  else if (type === REMOVE) number(cursor, 4);
  else return undefined;
  vector(cursor); // signature
  if (cursor.at < 0 || !isPublic || !isExternal || !isProposal) return undefined;
  const message = cursor.bytes.subarray(from, cursor.at);
  return { kind: type === ADD ? 'add' : 'remove', groupId, epoch, message };
}

/** Parses op 27. */
export function parseProposals(payload: Uint8Array): MlsResult<GatewayProposals> {
  if (payload.length > MAX_MLS_BYTES) return BAD;
  const outer = { bytes: payload, at: 0 };
  const operation = number(outer, 1);
  const inner = { bytes: vector(outer), at: 0 };
  if (outer.at !== payload.length) return BAD;
  if (operation === 0) {
    const proposals: GatewayProposal[] = [];
    while (inner.at < inner.bytes.length) {
      const proposal = readProposal(inner);
      if (proposal === undefined) return BAD;
      proposals.push(proposal);
    }
    return proposals.length === 0 ? BAD : { ok: true, value: { type: 'append', proposals } };
  }
  const references: Uint8Array[] = [];
  while (inner.at >= 0 && inner.at < inner.bytes.length) references.push(vector(inner));
  const isRevoke = operation === 1 && inner.at >= 0 && references.length > 0;
  return isRevoke ? { ok: true, value: { type: 'revoke', references } } : BAD;
}

/** Whether op 25 holds a key of the ciphersuite and a basic credential. The library takes anything and fails later. */
export function isExternalSender(payload: Uint8Array): boolean {
  const cursor = { bytes: payload, at: 0 };
  const key = vector(cursor);
  const credential = number(cursor, 2);
  vector(cursor);
  return cursor.at === payload.length && key.length === POINT_BYTES && key[0] === UNCOMPRESSED && credential === BASIC;
}

/** Parses what ops 29 and 30 have in common. */
export function parseTransition(
  payload: Uint8Array,
): MlsResult<{ readonly transitionId: number; readonly message: Uint8Array }> {
  if (payload.length < 3 || payload.length > MAX_MLS_BYTES) return BAD;
  const transitionId = ((payload[0] as number) << 8) | (payload[1] as number);
  return { ok: true, value: { transitionId, message: payload.subarray(2) } };
}

/** The key package that a Welcome is for, by its reference: op 30 holds one member's secrets (RFC 9420 section 12.4.3.1). */
export function welcomedKeyPackage(message: Uint8Array): Uint8Array | undefined {
  const cursor = { bytes: message, at: 0 };
  number(cursor, 2); // ciphersuite
  const secrets = { bytes: vector(cursor), at: 0 };
  const reference = vector(secrets);
  return cursor.at < 0 || secrets.at < 0 ? undefined : reference;
}

/** A variable-size vector (RFC 9420 section 2.1.2) of these pieces. */
export function toVector(pieces: readonly Uint8Array[]): Uint8Array {
  const length = pieces.reduce((size, piece) => size + piece.length, 0);
  const width = length < 2 ** 6 ? 1 : length < 2 ** 14 ? 2 : 4;
  const whole = new Uint8Array(width + length);
  const head = length + (width === 1 ? 0 : width === 2 ? 0x4000 : 0x8000_0000);
  for (let n = 0; n < width; n += 1) whole[n] = Math.floor(head / 256 ** (width - 1 - n));
  let at = width;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
