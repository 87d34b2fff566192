/**
 * Owns how packets in order become frames: gaps, ends without a marker, bounds. The payload format tells for each packet
 * what it holds. Refuses to reorder, and to hand out a frame of which anything may be missing.
 */
import { joined } from './bytes.js';
import type { Depacketizer, DepacketizerStats, MediaFrame, MediaPacket } from './payload-format.js';
import { sequenceDelta } from './sequence.js';

/** What one payload holds. */
export interface Piece<Facts> {
  /**
   * Its place in the frame. `first` and `inside` are what the format marks. A format without such marks has `entry`, where
   * a frame can begin whatever was lost before, and `any`, where one begins only if nothing was lost before.
   */
  readonly place: 'first' | 'inside' | 'entry' | 'any';
  /** The frame's bytes in this payload, in order. */
  readonly parts: readonly Uint8Array[];
  readonly facts: Facts;
}

/** What a payload format brings. */
export interface PieceReader<Facts, Frame extends MediaFrame> {
  /** Reads a payload of at least one byte. `undefined` when it is malformed. */
  read(payload: Uint8Array): Piece<Facts> | undefined;
  /** Makes the frame of its base and of the facts of all its pieces. */
  finish(base: MediaFrame, facts: readonly Facts[]): Frame;
}

interface Assembly<Facts> {
  readonly timestamp: number;
  readonly sequenceNumber: number;
  readonly parts: Uint8Array[];
  readonly facts: Facts[];
  bytes: number;
}

/** So far behind, a packet is late. Further behind, the sender has begun anew (RFC 3550 appendix A.1, MAX_MISORDER). */
const MAX_MISORDER = 100;
/** Enough for the largest frame at the smallest MTU anyone uses; bounds what tiny packets can pile up. */
const MAX_PARTS = 65_536;

const NO_FRAMES: readonly never[] = Object.freeze([]);

/** The position of a packet in its stream. */
export type Position = 'next' | 'gap' | 'old';

/** Tells gaps from late packets. One for each stream. */
export function createSequenceWatch(): { see(sequenceNumber: number): Position; reset(): void } {
  let last: number | undefined;
  return {
    reset() {
      last = undefined;
    },
    see(sequenceNumber) {
      const delta = last === undefined ? 1 : sequenceDelta(sequenceNumber, last);
      if (delta <= 0 && delta > -MAX_MISORDER) return 'old';
      last = sequenceNumber;
      return delta === 1 ? 'next' : 'gap';
    },
  };
}

/** A depacketizer of the format that `reader` knows. */
export function createFrameAssembler<Facts, Frame extends MediaFrame>(
  reader: PieceReader<Facts, Frame>,
  maxFrameBytes: number,
): Depacketizer<Frame> {
  const watch = createSequenceWatch();
  const counts = { frames: 0, dropped: 0, malformed: 0, ignored: 0 };
  let current: Assembly<Facts> | undefined;
  /** The rest of the frame of this timestamp is of no use. */
  let skipped: number | undefined;
  /** The packet before the next one with content is missing. */
  let gapBefore = false;
  /** Something is missing since the last frame handed out. */
  let discontinuity = false;

  function drop(timestamp: number): void {
    if (skipped !== timestamp || current !== undefined) counts.dropped += 1;
    current = undefined;
    skipped = timestamp;
    discontinuity = true;
  }

  function complete(): Frame {
    const { timestamp, sequenceNumber, parts, facts, bytes } = current as Assembly<Facts>;
    const data = parts.length === 1 ? (parts[0] as Uint8Array) : joined(parts, bytes);
    const frame = reader.finish({ data, timestamp, sequenceNumber, discontinuity }, facts);
    current = undefined;
    discontinuity = false;
    counts.frames += 1;
    return frame;
  }

  function add(piece: Piece<Facts>, { timestamp, sequenceNumber }: MediaPacket): void {
    if (current !== undefined && piece.place === 'first') {
      // A second beginning with the same timestamp: the first one never got its end.
      counts.dropped += 1;
      discontinuity = true;
      current = undefined;
    }
    if (current === undefined) {
      const isWhole = piece.place !== 'any' || (!gapBefore && skipped !== timestamp);
      const begins = piece.place !== 'inside' && isWhole;
      if (!begins) {
        drop(timestamp);
        return;
      }
      skipped = undefined;
      current = { timestamp, sequenceNumber, parts: [], facts: [], bytes: 0 };
    }
    for (const part of piece.parts) {
      current.parts.push(part);
      current.bytes += part.length;
    }
    current.facts.push(piece.facts);
    if (current.bytes > maxFrameBytes || current.parts.length > MAX_PARTS) drop(timestamp);
  }

  return {
    get stats(): DepacketizerStats {
      return { ...counts };
    },
    reset() {
      watch.reset();
      current = undefined;
      skipped = undefined;
      gapBefore = false;
      discontinuity = false;
    },
    push(packet) {
      const position = watch.see(packet.sequenceNumber);
      if (position === 'old') {
        counts.ignored += 1;
        return NO_FRAMES;
      }
      if (position === 'gap') {
        gapBefore = true;
        discontinuity = true;
        // What is missing may have been its end.
        if (current !== undefined) drop(current.timestamp);
      }
      // Padding alone: a probe, which belongs to no frame.
      if (packet.payload.length === 0) return NO_FRAMES;

      let ended: Frame | undefined;
      if (current !== undefined && current.timestamp !== packet.timestamp) ended = complete();
      const piece = reader.read(packet.payload);
      if (piece === undefined) {
        counts.malformed += 1;
        drop(packet.timestamp);
      } else {
        add(piece, packet);
      }
      gapBefore = false;
      const whole = packet.marker && current !== undefined ? complete() : undefined;
      if (ended === undefined) return whole === undefined ? NO_FRAMES : [whole];
      return whole === undefined ? [ended] : [ended, whole];
    },
  };
}
