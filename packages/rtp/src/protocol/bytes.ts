/**
 * Owns big-endian numbers in byte arrays. Callers check bounds first: reading past the end gives numbers made of
 * zeros, never an exception. Index arithmetic instead of a `DataView`, which would be an allocation per packet.
 */

/** Largest values of unsigned fields by width. */
export const U5 = 0x1f;
export const U7 = 0x7f;
export const U8 = 0xff;
export const U16 = 0xffff;
export const U32 = 0xffff_ffff;

export const u8 = (bytes: Uint8Array, at: number): number => bytes[at] as number;

export const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);

export const u24 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);

export const u32 = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)) >>>
  0;

export const u64 = (bytes: Uint8Array, at: number): bigint =>
  (BigInt(u32(bytes, at)) << 32n) | BigInt(u32(bytes, at + 4));

export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function putU24(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 16;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value;
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function putU64(bytes: Uint8Array, at: number, value: bigint): void {
  putU32(bytes, at, Number((value >> 32n) & 0xffff_ffffn));
  putU32(bytes, at + 4, Number(value & 0xffff_ffffn));
}

/** The next multiple of four: RTP and RTCP count in 32-bit words. */
export const words = (length: number): number => (length + 3) & ~3;

/** Joins pieces into one array. */
export function joined(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
