/** Owns the datagrams of the media server that are no media: IP discovery and keepalives (Discord docs, Voice: IP Discovery). */

/** A datagram, told apart by its first bytes. */
export type Datagram =
  | { readonly kind: 'discovery'; readonly ssrc: number }
  | { readonly kind: 'keepalive'; readonly sequence: number }
  /** Eight bytes that older clients send in place of a keepalive: no answer. */
  | { readonly kind: 'ping' }
  /** RTP or RTCP. */
  | { readonly kind: 'media' }
  | { readonly kind: 'unknown' };

/** Bytes of IP discovery. */
export const DISCOVERY_BYTES = 74;
const REQUEST = 1;
const RESPONSE = 2;
/** Bytes behind type and length. */
const DISCOVERY_LENGTH = 70;
const ADDRESS_BYTES = 64;
const KEEPALIVE = 0x1337_cafe;
const KEEPALIVE_ANSWER = 0x1337_f00d;

/** What a datagram is. */
export function readDatagram(bytes: Uint8Array): Datagram {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === DISCOVERY_BYTES && view.getUint16(0) === REQUEST && view.getUint16(2) === DISCOVERY_LENGTH) {
    return { kind: 'discovery', ssrc: view.getUint32(4) };
  }
  if (bytes.length >= 2 && (bytes[0] ?? 0) >> 6 === 2 && bytes.length > 8) return { kind: 'media' };
  if (bytes.length !== 8) return { kind: 'unknown' };
  if (view.getUint32(0) === KEEPALIVE) return { kind: 'keepalive', sequence: view.getUint32(4) };
  return { kind: 'ping' };
}

/** The answer to a keepalive. */
export function keepaliveAnswer(sequence: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, KEEPALIVE_ANSWER);
  view.setUint32(4, sequence);
  return bytes;
}

/** The answer to IP discovery: the address that the request came from. */
export function discoveryAnswer(ssrc: number, address: string, port: number): Uint8Array {
  const bytes = new Uint8Array(DISCOVERY_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, RESPONSE);
  view.setUint16(2, DISCOVERY_LENGTH);
  view.setUint32(4, ssrc);
  // Padded with NUL, of which the last is always there.
  for (let at = 0; at < Math.min(address.length, ADDRESS_BYTES - 1); at += 1) bytes[8 + at] = address.charCodeAt(at);
  view.setUint16(DISCOVERY_BYTES - 2, port);
  return bytes;
}
