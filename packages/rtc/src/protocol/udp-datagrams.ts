/** Owns the datagrams beside RTP and RTCP: IP discovery and the keepalive. Bytes in, bytes out; never throws on what came. */

/** Discord docs, Voice: IP Discovery: `u16 type | u16 70 | u32 ssrc | char[64] address | u16 port`, big-endian. */
const DISCOVERY_BYTES = 74;
const DISCOVERY_LENGTH = 70;
const REQUEST = 1;
const RESPONSE = 2;
const ADDRESS_AT = 8;
const PORT_AT = 72;

/** Not documented: what Discord's clients send and its servers answer. */
const KEEPALIVE_BYTES = 8;
const KEEPALIVE_REQUEST = 0x1337cafe;
const KEEPALIVE_ANSWER = 0x1337f00d;

/** How the server sees us. */
export interface ExternalAddress {
  readonly address: string;
  readonly port: number;
}

/** A datagram that is no media. */
export type ControlDatagram =
  | ({ readonly kind: 'discovery'; readonly ssrc: number } & ExternalAddress)
  | { readonly kind: 'keepalive'; readonly seq: number };

/** Asks the server how it sees us. */
export function discoveryRequest(ssrc: number): Uint8Array {
  const bytes = new Uint8Array(DISCOVERY_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, REQUEST);
  view.setUint16(2, DISCOVERY_LENGTH);
  view.setUint32(4, ssrc);
  return bytes;
}

/** Asks for a sign of life. @param seq Comes back with the answer, 32 bits. */
export function keepaliveRequest(seq: number): Uint8Array {
  const bytes = new Uint8Array(KEEPALIVE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, KEEPALIVE_REQUEST);
  view.setUint32(4, seq);
  return bytes;
}

/** Reads a datagram that is an answer to one of ours; `undefined` for anything else. Media has other first bytes. */
export function parseControlDatagram(bytes: Uint8Array): ControlDatagram | undefined {
  if (bytes.length < KEEPALIVE_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === KEEPALIVE_BYTES) {
    const kind = view.getUint32(0);
    // An echo is an answer, too.
    return kind === KEEPALIVE_ANSWER || kind === KEEPALIVE_REQUEST
      ? { kind: 'keepalive', seq: view.getUint32(4) }
      : undefined;
  }
  if (bytes.length !== DISCOVERY_BYTES || view.getUint16(0) !== RESPONSE || view.getUint16(2) !== DISCOVERY_LENGTH) {
    return undefined;
  }
  const text = bytes.subarray(ADDRESS_AT, PORT_AT);
  const end = text.indexOf(0);
  const address = String.fromCharCode(...(end === -1 ? text : text.subarray(0, end)));
  const port = view.getUint16(PORT_AT);
  if (!isAddress(address) || port === 0) return undefined;
  return { kind: 'discovery', ssrc: view.getUint32(4), address, port };
}

/** It is sent on to the voice gateway: letters of an address and nothing else. */
function isAddress(text: string): boolean {
  return /^(?:\d{1,3}\.){3}\d{1,3}$/.test(text) || (text.includes(':') && /^[0-9A-Fa-f:.]{2,45}$/.test(text));
}
