/**
 * Owns the order of a received video stream: holds packets back until those before have come, tells which to ask for again
 * (RFC 4585 section 6.2.1) and gives up on them in time. Bounded by its window.
 */
import { createUnwrapper, sequenceDelta } from '@guildkit/rtp';

/** Packets held, and how far ahead of what is missing: a second of 1080p. */
const WINDOW = 1_024;
/** Packets come in another order than they were sent; asking at once would ask for those. */
const REORDER_MS = 10;
const MIN_RETRY_MS = 30;
const MAX_TRIES = 8;
/** Later a keyframe is quicker; but three tries shall fit in, where the way is long. */
const MIN_WAIT_MS = 400;
const MAX_WAIT_MS = 800;
const TRIES_IN_WAIT = 3;
/** Weight of a new round trip against those before. */
const SMOOTHING = 0.2;
const MAX_MISORDER = 500;
/** What one request asks for: fits one datagram. */
const MAX_NACKS = 128;

/** What the sequencer looks at in a packet. */
export interface SequencedPacket {
  readonly sequenceNumber: number;
}

/** What became of a packet. */
export type SequencerArrival = 'queued' | 'recovered' | 'late' | 'duplicate';

/** One stream's order. */
export interface PacketSequencer<P extends SequencedPacket> {
  push(packet: P, now: number): SequencerArrival;
  /** The next packet in order; after a gap was given up, the one behind it. */
  pop(now: number): P | undefined;
  /** Sequence numbers to be asked for now. @param roundTripMs A guess, until it can be measured. */
  nacks(now: number, roundTripMs: number): readonly number[];
  /** When `pop` or `nacks` should be called next, without a packet; `undefined` when nothing is missing. */
  readonly nextAt: number | undefined;
  /** Packets given up. */
  readonly lost: number;
}

interface Missing {
  readonly since: number;
  askAt: number;
  askedAt: number;
  tries: number;
}

const NONE: readonly never[] = Object.freeze([]);

/** Puts one stream in order. */
export function createPacketSequencer<P extends SequencedPacket>(): PacketSequencer<P> {
  const ring: (P | undefined)[] = new Array(WINDOW).fill(undefined);
  const missing = new Map<number, Missing>();
  let unwrapper = createUnwrapper(16);
  /** The next one to hand out, extended. */
  let next: number | undefined;
  /** Until then the first packet may not be the first. */
  let openAt: number | undefined;
  let lost = 0;
  /** From a request to what it brought, where there was one request only. */
  let measured: number | undefined;

  const waitMs = (): number =>
    Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, (measured ?? 0) * TRIES_IN_WAIT + REORDER_MS));
  const cellOf = (sequence: number): number => sequence & (WINDOW - 1);

  function restart(): void {
    ring.fill(undefined);
    missing.clear();
    unwrapper = createUnwrapper(16);
    next = undefined;
    openAt = undefined;
  }

  function expect(from: number, to: number, now: number): void {
    for (let sequence = from; sequence < to; sequence += 1) {
      if (ring[cellOf(sequence)] === undefined)
        missing.set(sequence, { since: now, askAt: now + REORDER_MS, askedAt: now, tries: 0 });
    }
  }

  return {
    get lost() {
      return lost;
    },
    get nextAt() {
      let at = openAt;
      for (const { since, askAt } of missing.values()) {
        const due = Math.min(askAt, since + waitMs());
        if (at === undefined || due < at) at = due;
      }
      return at;
    },
    push(packet, now) {
      const before = unwrapper.newest;
      const delta = before === undefined ? 1 : sequenceDelta(packet.sequenceNumber, before & 0xffff);
      if (delta <= -MAX_MISORDER) restart();
      const newest = unwrapper.newest;
      const sequence = unwrapper.unwrap(packet.sequenceNumber);
      if (next === undefined) {
        next = sequence;
        openAt = now + REORDER_MS;
      }
      if (openAt !== undefined && sequence < next && next - sequence < WINDOW / 2) {
        expect(sequence + 1, next, now);
        next = sequence;
      }
      if (sequence < next) return 'late';
      if (sequence - next >= WINDOW) {
        // Too much is missing to wait for: what is new counts.
        lost += missing.size + (sequence - (newest as number) - 1);
        ring.fill(undefined);
        missing.clear();
        next = sequence;
      } else {
        if (ring[cellOf(sequence)] !== undefined) return 'duplicate';
        expect(Math.max(next, (newest ?? sequence) + 1), sequence, now);
      }
      ring[cellOf(sequence)] = packet;
      const entry = missing.get(sequence);
      missing.delete(sequence);
      if (entry === undefined || entry.tries === 0) return 'queued';
      if (entry.tries === 1) {
        const took = now - entry.askedAt;
        measured = measured === undefined ? took : measured + (took - measured) * SMOOTHING;
      }
      return 'recovered';
    },
    pop(now) {
      if (next === undefined || (openAt !== undefined && now < openAt)) return undefined;
      openAt = undefined;
      for (let entry = missing.get(next); entry !== undefined; entry = missing.get(next)) {
        if (now < entry.since + waitMs()) return undefined;
        missing.delete(next);
        lost += 1;
        next += 1;
      }
      const packet = ring[cellOf(next)];
      if (packet === undefined) return undefined;
      ring[cellOf(next)] = undefined;
      next += 1;
      return packet;
    },
    nacks(now, roundTripMs) {
      if (missing.size === 0) return NONE;
      const asked: number[] = [];
      for (const [sequence, entry] of missing) {
        if (entry.askAt > now || asked.length >= MAX_NACKS) continue;
        entry.tries += 1;
        entry.askedAt = now;
        const retryMs = Math.max(MIN_RETRY_MS, (measured ?? roundTripMs) * 1.25);
        entry.askAt = entry.tries >= MAX_TRIES ? Number.POSITIVE_INFINITY : now + retryMs;
        asked.push(sequence & 0xffff);
      }
      return asked;
    },
  };
}
