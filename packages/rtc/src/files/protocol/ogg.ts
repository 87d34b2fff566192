/** Owns writing Opus into an Ogg stream (RFC 3533, RFC 7845). Reading is left to the demuxer. */

const RATE = 48_000;
const SEGMENT = 255;
const MAX_SEGMENTS = 255;
/** A page each second: what a crash costs. */
const PAGE_SAMPLES = RATE;
const BEGINS = 2;
const ENDS = 4;
const CONTINUES = 1;

/** Settings of {@link createOggMuxer}. */
export interface OggOptions {
  readonly channels: 1 | 2;
  /** Number of the stream: any, but others in the same file differ. */
  readonly serial: number;
  /** Samples that a player leaves out at the beginning: what the encoder needs to settle. @defaultValue 312 */
  readonly preSkip?: number | undefined;
}

/** Writes one stream. */
export interface OggMuxer {
  /** The two pages that come first. */
  header(): Uint8Array;
  /** Takes a packet; gives the pages that are full. */
  write(packet: Uint8Array, samples: number): Uint8Array;
  /** The last page. Nothing can be written after it. */
  end(): Uint8Array;
}

/** Begins an Ogg Opus stream. */
export function createOggMuxer({ channels, serial, preSkip = 312 }: OggOptions): OggMuxer {
  let pageNumber = 0;
  let granule = preSkip;
  let pageStart = granule;
  let lacing: number[] = [];
  let body: Uint8Array[] = [];
  /** The page begins within a packet. */
  let continued = false;
  /** Where the last packet that ends in this page ends; -1 if none does. */
  let lastEnd = -1n;

  function page(flags: number): Uint8Array {
    const size = body.reduce((sum, part) => sum + part.length, 0);
    const bytes = new Uint8Array(27 + lacing.length + size);
    const view = new DataView(bytes.buffer);
    bytes.set([0x4f, 0x67, 0x67, 0x53]);
    bytes[5] = flags | (continued ? CONTINUES : 0);
    view.setBigInt64(6, lastEnd, true);
    view.setUint32(14, serial >>> 0, true);
    view.setUint32(18, pageNumber, true);
    bytes[26] = lacing.length;
    bytes.set(lacing, 27);
    let at = 27 + lacing.length;
    for (const part of body) {
      bytes.set(part, at);
      at += part.length;
    }
    view.setUint32(22, crc32(bytes), true);
    pageNumber += 1;
    lacing = [];
    body = [];
    continued = false;
    lastEnd = -1n;
    pageStart = granule;
    return bytes;
  }

  /** Adds a packet; a page that has no room for the rest of it is closed. */
  function add(packet: Uint8Array, end: bigint): Uint8Array[] {
    const pages: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      if (lacing.length === MAX_SEGMENTS) {
        pages.push(page(0));
        continued = at > 0;
      }
      const size = Math.min(SEGMENT, packet.length - at);
      lacing.push(size);
      body.push(packet.subarray(at, at + size));
      at += size;
      if (size < SEGMENT) break;
    }
    lastEnd = end;
    return pages;
  }

  return {
    header() {
      const head = new Uint8Array(19);
      const view = new DataView(head.buffer);
      head.set(ascii('OpusHead'));
      head[8] = 1;
      head[9] = channels;
      view.setUint16(10, preSkip, true);
      view.setUint32(12, RATE, true);
      add(head, 0n);
      const first = page(BEGINS);
      const vendor = ascii('guildkit');
      const tags = new Uint8Array(8 + 4 + vendor.length + 4);
      tags.set(ascii('OpusTags'));
      new DataView(tags.buffer).setUint32(8, vendor.length, true);
      tags.set(vendor, 12);
      add(tags, 0n);
      return joined([first, page(0)]);
    },
    write(packet, samples) {
      granule += samples;
      const pages = add(packet, BigInt(granule));
      if (granule - pageStart >= PAGE_SAMPLES) pages.push(page(0));
      return joined(pages);
    },
    end() {
      // A page on which no packet ends has no time; the last one has that of the stream.
      if (lastEnd < 0n) lastEnd = BigInt(granule);
      return page(ENDS);
    },
  };
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** RFC 3533 section 6: polynomial 0x04c11db7, not reflected, no inversion. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) value = value & 0x8000_0000 ? (value << 1) ^ 0x04c1_1db7 : value << 1;
  return value >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) ^ (CRC_TABLE[((crc >>> 24) ^ byte) & 0xff] as number)) >>> 0;
  return crc;
}
