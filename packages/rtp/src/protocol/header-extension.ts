/**
 * Owns the elements of an RTP header extension in their one-byte and two-byte forms (RFC 8285 sections 4.2 and 4.3).
 * Refuses to know what an id means: the two sides agree on ids, and sources differ in Discord's.
 */
import { RtpError, requireInteger } from '../errors.js';
import { putU16, U8, u8, words } from './bytes.js';
import { failure, type Parsed } from './result.js';

/** The extension part of an RTP header. */
export interface HeaderExtension {
  /** 16 bits: which form the data has. */
  readonly profile: number;
  /** The extension's body. Its length is a multiple of four in a packet; building pads with zeros. */
  readonly data: Uint8Array;
}

/** One element of a header extension. */
export interface ExtensionElement {
  /** 1 to 14 in the one-byte form, 1 to 255 in the two-byte form. */
  readonly id: number;
  /** A view of the packet. 1 to 16 bytes in the one-byte form, 0 to 255 in the two-byte form. */
  readonly data: Uint8Array;
}

/** `profile` of the one-byte form. */
const ONE_BYTE = 0xbede;
/** `profile` of the two-byte form; its low four bits are the application's. */
const TWO_BYTE = 0x1000;
const TWO_BYTE_MASK = 0xfff0;
/** RFC 8285 section 4.2: an element of this id ends the one-byte form, and whatever follows is ignored. */
const STOP_ID = 15;

/**
 * Reads the elements of an extension, in order. An extension of another profile has none.
 *
 * @returns The failure `length` when an element's length leads out of the extension.
 */
export function parseHeaderExtensions(extension: HeaderExtension): Parsed<readonly ExtensionElement[]> {
  const { profile, data } = extension;
  const oneByte = profile === ONE_BYTE;
  const elements: ExtensionElement[] = [];
  if (!oneByte && (profile & TWO_BYTE_MASK) !== TWO_BYTE) return { ok: true, value: elements };
  for (let at = 0; at < data.length; ) {
    const head = u8(data, at);
    if (head === 0) {
      // Padding may stand between elements as well as behind them.
      at += 1;
      continue;
    }
    const id = oneByte ? head >> 4 : head;
    if (oneByte && id === STOP_ID) break;
    if (!oneByte && at + 1 >= data.length) return failure('length');
    const start = at + (oneByte ? 1 : 2);
    const length = oneByte ? (head & 0x0f) + 1 : u8(data, at + 1);
    at = start + length;
    if (at > data.length) return failure('length');
    // One-byte id 0 with a length names no element: passed over.
    if (id !== 0) elements.push({ id, data: data.subarray(start, at) });
  }
  return { ok: true, value: elements };
}

/**
 * Writes elements in the one-byte form where they fit it, else in the two-byte form.
 *
 * @throws RtpError `ERR_RTP_FIELD_INVALID` for an id or length that fits neither form.
 */
export function buildHeaderExtension(elements: readonly ExtensionElement[]): HeaderExtension {
  let size = 0;
  let oneByte = true;
  for (const { id, data } of elements) {
    requireInteger('extension id', id, U8, 1);
    requireInteger('extension data length', data.length, U8);
    if (id >= STOP_ID || data.length === 0 || data.length > 16) oneByte = false;
    size += data.length;
  }
  size += elements.length * (oneByte ? 1 : 2);
  if (size > 0xffff * 4) throw new RtpError('ERR_RTP_FIELD_INVALID', 'the extension is larger than 262,140 bytes');
  const body = new Uint8Array(words(size));
  let at = 0;
  for (const { id, data } of elements) {
    if (oneByte) body[at] = (id << 4) | (data.length - 1);
    else putU16(body, at, (id << 8) | data.length);
    at += oneByte ? 1 : 2;
    body.set(data, at);
    at += data.length;
  }
  return { profile: oneByte ? ONE_BYTE : TWO_BYTE, data: body };
}
