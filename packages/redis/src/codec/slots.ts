/**
 * Owns the arithmetic of a cluster's slots: which slot a key belongs to, and a tag for every slot, so that a key can be
 * put beside another one. Redis docs, Cluster specification: Key distribution model, Hash tags.
 */

/** Slots of a cluster. */
export const SLOTS = 16_384;

/** CRC-16/XMODEM, polynomial 0x1021. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

const UTF8 = new TextEncoder();

/** The slot of a key: of what stands between its first `{` and the next `}` if that is something, else of all of it. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const end = open < 0 ? -1 : key.indexOf('}', open + 1);
  const hashed = end > open + 1 ? key.slice(open + 1, end) : key;
  let crc = 0;
  for (const byte of UTF8.encode(hashed)) crc = ((crc << 8) ^ (TABLE[((crc >> 8) ^ byte) & 0xff] ?? 0)) & 0xffff;
  return crc % SLOTS;
}

let tags: readonly string[] | undefined;

/** A short text for each slot that belongs to it: the first number that does. */
export function slotTags(): readonly string[] {
  if (tags !== undefined) return tags;
  const found: string[] = new Array(SLOTS);
  let missing = SLOTS;
  for (let n = 0; missing > 0; n += 1) {
    const tag = n.toString(36);
    const slot = slotOf(tag);
    if (found[slot] !== undefined) continue;
    found[slot] = tag;
    missing -= 1;
  }
  tags = found;
  return found;
}
