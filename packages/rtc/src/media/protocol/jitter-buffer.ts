/**
 * Owns the order and time in which received audio is played: a ring on the extended sequence number, played by timestamps
 * behind an adaptive delay. Knows no Opus: what is missing is announced, to be made up by the decoder. Bounded by its ring.
 *
 * A frame is lost when it is due and a later one is there. When nothing is there, its place is kept while sound is made up:
 * delay alone never costs a frame. A jump of the timestamp between neighbours is a pause (DTX), nothing lost.
 */
import { createUnwrapper, sequenceDelta } from '@guildkit/rtp';
import { createPlayoutDelay, type DelayBounds } from './playout-delay.js';

const SAMPLES_PER_MS = 48;
/** 2.5 s of 20 ms packets. */
const CAPACITY = 128;
const DEFAULT_SAMPLES = 960;
/** 120 ms: no Opus packet is longer (RFC 6716 section 3.2.5). */
const MAX_SAMPLES = 5_760;
/** So many frames are made up in a row; more sounds worse than silence. */
const MAX_CONCEALED = 3;
/** After so long without anything the talk is over. */
const IDLE_MS = 100;
/** Behind by more than this, or ahead, the sender has begun anew (RFC 3550 appendix A.1). */
const MAX_MISORDER = 100;
const MAX_DROPOUT = 3_000;
/** A timestamp so far behind what was played, in a later packet, is of a new beginning: 1 s. */
const MAX_REWIND = 48_000;
/** Delay beyond what is needed is taken back where frames are lost; after so long also by leaving one out. */
const EXCESS_MS = 60;
const EXCESS_FOR_MS = 5_000;

/** What the buffer looks at in a packet. */
export interface JitterPacket {
  readonly sequenceNumber: number;
  /** RTP timestamp, 48 kHz. */
  readonly timestamp: number;
  /** It is the silence that ends talk: nothing is made up behind it. */
  readonly silent: boolean;
}

/** One step of playing. */
export type Playout<P> =
  | { readonly kind: 'packet'; readonly packet: P; readonly timestamp: number; readonly talkStart: boolean }
  | { readonly kind: 'concealed' | 'silence'; readonly samples: number; readonly timestamp: number };

/** What became of a packet. */
export type Arrival = 'queued' | 'late' | 'duplicate';

/** What a buffer has counted. */
export interface JitterCounts {
  readonly late: number;
  readonly duplicates: number;
  readonly concealedSamples: number;
  readonly silencedSamples: number;
  /** Frames left out to catch up. */
  readonly skipped: number;
}

/** One stream's buffer. */
export interface JitterBuffer<P extends JitterPacket> {
  push(packet: P, arrivedAt: number): Arrival;
  /** What is to be played now; call until `undefined`. Times must not go back. */
  pop(now: number): Playout<P> | undefined;
  /** When `pop` has something next; `undefined` while nothing is buffered or made up. */
  readonly nextAt: number | undefined;
  readonly targetDelayMs: number;
  readonly counts: JitterCounts;
}

interface Slot<P> {
  readonly sequence: number;
  readonly timestamp: number;
  readonly packet: P;
}

/** Makes the buffer of one stream. */
export function createJitterBuffer<P extends JitterPacket>(bounds: DelayBounds): JitterBuffer<P> {
  const delay = createPlayoutDelay(bounds);
  const ring: (Slot<P> | undefined)[] = new Array(CAPACITY).fill(undefined);
  const counts = { late: 0, duplicates: 0, concealedSamples: 0, silencedSamples: 0, skipped: 0 };
  let sequences = createUnwrapper(16);
  let timestamps = createUnwrapper(32);
  /** `filling`: something is queued, and waits for its time. */
  let phase: 'idle' | 'filling' | 'playing' = 'idle';
  let queued = 0;
  /** What is below was played or given up. While playing: exactly what comes next. */
  let nextSequence = Number.NEGATIVE_INFINITY;
  let nextTimestamp = Number.NEGATIVE_INFINITY;
  /** When the sample of timestamp 0 is played. */
  let base = 0;
  /** Duration of a packet: learnt from neighbours, for an encrypted one does not tell. */
  let samples = DEFAULT_SAMPLES;
  /** Frames made up since the last packet. */
  let run = 0;
  let heldMs = 0;
  let isTail = false;
  let talkStart = false;
  let excessSince: number | undefined;

  const cellOf = (sequence: number): number => sequence & (CAPACITY - 1);
  const slotOf = (sequence: number): Slot<P> | undefined => {
    const slot = ring[cellOf(sequence)];
    return slot?.sequence === sequence ? slot : undefined;
  };

  function clear(sequence: number, timestamp: number): void {
    ring.fill(undefined);
    queued = 0;
    phase = 'idle';
    nextSequence = sequence;
    nextTimestamp = timestamp;
  }

  /** As if this packet were the first. */
  function restart({ sequenceNumber, timestamp }: P): void {
    delay.reset();
    sequences = createUnwrapper(16);
    timestamps = createUnwrapper(32);
    clear(sequences.unwrap(sequenceNumber), timestamps.unwrap(timestamp));
  }

  /** The lowest one queued. */
  function head(): Slot<P> | undefined {
    if (queued === 0) return undefined;
    const next = slotOf(nextSequence);
    if (next !== undefined) return next;
    let lowest: Slot<P> | undefined;
    for (const slot of ring) {
      if (slot !== undefined && (lowest === undefined || slot.sequence < lowest.sequence)) lowest = slot;
    }
    return lowest;
  }

  function take(slot: Slot<P>): Playout<P> {
    ring[cellOf(slot.sequence)] = undefined;
    queued -= 1;
    const following = slotOf(slot.sequence + 1);
    if (following !== undefined) {
      const duration = following.timestamp - slot.timestamp;
      if (duration > 0 && duration <= MAX_SAMPLES) samples = duration;
    }
    nextSequence = slot.sequence + 1;
    nextTimestamp = slot.timestamp + samples;
    run = 0;
    heldMs = 0;
    isTail = slot.packet.silent;
    const playout = { kind: 'packet', packet: slot.packet, timestamp: slot.packet.timestamp, talkStart } as const;
    talkStart = false;
    return playout;
  }

  function makeUp(count: number): Playout<P> {
    run += 1;
    const kind = run <= MAX_CONCEALED ? 'concealed' : 'silence';
    if (kind === 'concealed') counts.concealedSamples += count;
    else counts.silencedSamples += count;
    return { kind, samples: count, timestamp: nextTimestamp >>> 0 };
  }

  /** Waits for the time of what is queued, with the delay that is right now. */
  function refill(): void {
    phase = 'filling';
    base = delay.base as number;
    talkStart = true;
    excessSince = undefined;
    run = 0;
    heldMs = 0;
  }

  /** Nothing came: the place is kept, so that what comes is played in full. */
  function hold(): Playout<P> | undefined {
    const ms = samples / SAMPLES_PER_MS;
    if (isTail || heldMs + ms > IDLE_MS) {
      phase = 'idle';
      return undefined;
    }
    heldMs += ms;
    base += ms;
    return makeUp(samples);
  }

  /** Everything up to `slot` is lost, or was not sent. */
  function gap(slot: Slot<P>): Playout<P> | undefined {
    const missing = slot.sequence - nextSequence;
    const jump = slot.timestamp - nextTimestamp;
    // As much as was lost, and no more than is made up; the rest of the jump is a pause.
    const isPause = jump > missing * Math.max(samples, DEFAULT_SAMPLES);
    if (missing === 0 || (isPause && (isTail || run >= Math.min(missing, MAX_CONCEALED)))) {
      refill();
      return undefined;
    }
    const count = Math.min(samples, jump);
    const ms = count / SAMPLES_PER_MS;
    const excess = base - (delay.base as number);
    if (excess <= -ms && heldMs + ms <= IDLE_MS) {
      // The delay has become too short: what is missing may still come.
      heldMs += ms;
      base += ms;
      return makeUp(count);
    }
    const playout = excess < ms ? makeUp(count) : undefined;
    nextTimestamp += count;
    if (playout !== undefined) return playout;
    // The delay is longer than need be: what is missing is passed over.
    base -= ms;
    counts.skipped += 1;
    return undefined;
  }

  /** Takes back delay that has been too long for long, by leaving a frame out. */
  function skipsOne(now: number): boolean {
    if (base - (delay.base as number) < EXCESS_MS) excessSince = undefined;
    else excessSince ??= now;
    if (excessSince === undefined || now - excessSince < EXCESS_FOR_MS) return false;
    excessSince = undefined;
    return true;
  }

  const dueAt = (): number => {
    const timestamp = phase === 'filling' ? (head() as Slot<P>).timestamp : nextTimestamp;
    return base + timestamp / SAMPLES_PER_MS;
  };

  return {
    counts,
    get targetDelayMs() {
      return delay.targetMs;
    },
    get nextAt() {
      return phase === 'idle' ? undefined : dueAt();
    },
    push(packet, arrivedAt) {
      const { newest } = sequences;
      const delta = newest === undefined ? 1 : sequenceDelta(packet.sequenceNumber, newest & 0xffff);
      if (delta <= -MAX_MISORDER || delta > MAX_DROPOUT) restart(packet);
      let sequence = sequences.unwrap(packet.sequenceNumber);
      let timestamp = timestamps.unwrap(packet.timestamp);
      if (delta > 0 && timestamp < nextTimestamp - MAX_REWIND) {
        // A later packet of an earlier time: the timestamps have begun anew.
        restart(packet);
        sequence = sequences.newest as number;
        timestamp = timestamps.newest as number;
      }
      if (sequence < nextSequence || timestamp < nextTimestamp) {
        counts.late += 1;
        // It tells how long the delay should have been.
        delay.observe(timestamp, arrivedAt);
        return 'late';
      }
      const occupant = ring[cellOf(sequence)];
      if (occupant !== undefined) {
        if (occupant.sequence >= sequence) {
          counts[occupant.sequence === sequence ? 'duplicates' : 'late'] += 1;
          return occupant.sequence === sequence ? 'duplicate' : 'late';
        }
        // Nobody has played for seconds: what is new counts.
        clear(sequence, timestamp);
      }
      // After a pause in which timestamps stood still, all would be late.
      const known = delay.base;
      if (phase === 'idle' && known !== undefined && known + timestamp / SAMPLES_PER_MS < arrivedAt) delay.rebase();
      delay.observe(timestamp, arrivedAt);
      ring[cellOf(sequence)] = { sequence, timestamp, packet };
      queued += 1;
      if (phase === 'idle') refill();
      return 'queued';
    },
    pop(now) {
      // Each round plays, passes over or begins to wait: bounded by the ring, and by the largest gap without a restart.
      for (let round = 0; round < MAX_DROPOUT; round += 1) {
        if (phase === 'idle' || now < dueAt()) return undefined;
        const slot = head();
        if (slot === undefined) return hold();
        const jump = phase === 'filling' ? 0 : slot.timestamp - nextTimestamp;
        phase = 'playing';
        // Neighbours a little apart are longer packets than was known, or a pause too short to tell of.
        if (jump <= 0 || (slot.sequence === nextSequence && jump <= MAX_SAMPLES)) {
          nextSequence = slot.sequence;
          nextTimestamp = slot.timestamp;
          if (jump > 0) continue;
          const playout = take(slot);
          if (!skipsOne(now)) return playout;
          counts.skipped += 1;
          base -= samples / SAMPLES_PER_MS;
          continue;
        }
        const playout = gap(slot);
        if (playout !== undefined) return playout;
      }
      return undefined;
    },
  };
}
