/**
 * The jitter buffer against a network that loses, delays, doubles and reorders packets, by seed; and against buffers with one
 * mistake each, which the same rules must catch.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createJitterBuffer,
  type JitterBuffer,
  type JitterPacket,
  type Playout,
} from '../../src/media/protocol/jitter-buffer.js';

interface Packet extends JitterPacket {
  readonly id: number;
}

/** Speech and pauses, in frames; `dtx` leaves sequence numbers without a gap. */
interface Script {
  readonly firstSequence: number;
  readonly firstTimestamp: number;
  readonly talks: readonly { readonly frames: number; readonly pauseFrames: number }[];
  /** For each packet in turn: lost, doubled, and how late. */
  readonly fates: readonly { readonly lost: boolean; readonly doubled: boolean; readonly delayMs: number }[];
}

interface Sent {
  readonly packet: Packet;
  readonly sentAt: number;
  readonly arrivals: readonly number[];
}

const BOUNDS = { minDelayMs: 60, maxDelayMs: 100 };
const FRAME_MS = 20;

function send({ firstSequence, firstTimestamp, talks, fates }: Script): Sent[] {
  const list: Sent[] = [];
  let frame = 0;
  for (const { frames, pauseFrames } of talks) {
    for (let n = 0; n < frames; n += 1) {
      const id = list.length;
      const fate = fates[id % fates.length] as Script['fates'][number];
      const sentAt = 1_000 + frame * FRAME_MS;
      const packet = {
        id,
        sequenceNumber: (firstSequence + id) & 0xffff,
        timestamp: (firstTimestamp + frame * 960) >>> 0,
        silent: n >= frames - 5 && frames > 5,
      };
      const arrival = sentAt + fate.delayMs;
      list.push({ packet, sentAt, arrivals: fate.lost ? [] : fate.doubled ? [arrival, arrival + 7] : [arrival] });
      frame += 1;
    }
    frame += pauseFrames;
  }
  return list;
}

interface Played {
  readonly at: number;
  readonly playout: Playout<Packet>;
}

/** Plays a script on ticks of 20 ms. */
function play(buffer: JitterBuffer<Packet>, sent: readonly Sent[]): Played[] {
  const arrivals = sent
    .flatMap(({ packet, arrivals: times }) => times.map((at) => ({ at, packet })))
    .sort((a, b) => a.at - b.at || a.packet.id - b.packet.id);
  const end = (sent.at(-1)?.sentAt ?? 0) + 1_500;
  const played: Played[] = [];
  let next = 0;
  for (let tick = 1_003; tick < end; tick += FRAME_MS) {
    for (let arrival = arrivals[next]; arrival !== undefined && arrival.at <= tick; arrival = arrivals[next]) {
      buffer.push(arrival.packet, arrival.at);
      next += 1;
    }
    let guard = 0;
    for (let playout = buffer.pop(tick); playout !== undefined; playout = buffer.pop(tick)) {
      played.push({ at: tick, playout });
      guard += 1;
      if (guard > 200) throw new Error('it plays for ever');
    }
  }
  return played;
}

/** The rules. Returns the name of the first that is broken. */
function broken(sent: readonly Sent[], played: readonly Played[], worstDelayMs: number): string | undefined {
  const arrivedAt = new Map(sent.map(({ packet, arrivals }) => [packet.id, arrivals[0]]));
  const ids = played.flatMap(({ playout }) => (playout.kind === 'packet' ? [playout.packet.id] : []));
  if (new Set(ids).size !== ids.length) return 'once';
  if (ids.some((id, n) => n > 0 && id < (ids[n - 1] as number))) return 'in order';
  for (const { at, playout } of played) {
    if (playout.kind !== 'packet') continue;
    const arrived = arrivedAt.get(playout.packet.id);
    if (arrived === undefined) return 'what did not come is not played';
    // The bound, what other packets were late by, and what was made up for them.
    if (at - arrived > BOUNDS.maxDelayMs + worstDelayMs + 160) return 'in time';
  }
  let run = 0;
  for (const { playout } of played) {
    run = playout.kind === 'packet' ? 0 : run + 1;
    if (playout.kind === 'concealed' && run > 3) return 'at most three made up';
  }
  // Within a talk nothing is left out: each tick plays one frame, unless delay is taken back.
  for (let n = 1; n < played.length; n += 1) {
    const { at, playout } = played[n] as Played;
    const before = (played[n - 1] as Played).at;
    const starts = playout.kind === 'packet' && playout.talkStart;
    if (!starts && at - before > FRAME_MS + 120) return 'no holes';
  }
  return undefined;
}

const fate = (maxDelayMs: number, loss: number) =>
  fc.record({
    lost: loss === 0 ? fc.constant(false) : fc.integer({ min: 0, max: 99 }).map((value) => value < loss),
    doubled: fc.integer({ min: 0, max: 9 }).map((value) => value === 0),
    delayMs: fc.integer({ min: 0, max: maxDelayMs }),
  });

const script = (maxDelayMs: number, loss: number, minFrames = 1): fc.Arbitrary<Script> =>
  fc.record({
    firstSequence: fc.oneof(fc.integer({ min: 65_480, max: 65_535 }), fc.integer({ min: 0, max: 65_535 })),
    firstTimestamp: fc.oneof(
      fc.integer({ min: 2 ** 32 - 100_000, max: 2 ** 32 - 1 }),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    ),
    talks: fc.array(
      fc.record({ frames: fc.integer({ min: minFrames, max: 80 }), pauseFrames: fc.integer({ min: 8, max: 200 }) }),
      { minLength: 1, maxLength: 4 },
    ),
    fates: fc.array(fate(maxDelayMs, loss), { minLength: 7, maxLength: 60 }),
  });

const run = (make: () => JitterBuffer<Packet>, chosen: Script, worstDelayMs: number): string | undefined => {
  const sent = send(chosen);
  return broken(sent, play(make(), sent), worstDelayMs);
};
const real = (): JitterBuffer<Packet> => createJitterBuffer<Packet>(BOUNDS);

describe('jitter buffer', () => {
  it('keeps its rules on a bad network', () => {
    fc.assert(
      fc.property(script(150, 15), (chosen) => {
        expect(run(real, chosen, 150)).toBeUndefined();
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('plays everything, and makes nothing up, when jitter stays below the delay', () => {
    fc.assert(
      // Talks with silence at their end: behind others, sound is made up until it is clear that nothing comes.
      fc.property(script(38, 0, 6), (chosen) => {
        const sent = send(chosen);
        const played = play(real(), sent);
        expect(played.map(({ playout }) => (playout.kind === 'packet' ? playout.packet.id : playout.kind))).toEqual(
          sent.map(({ packet }) => packet.id),
        );
        // A pause is a pause: what comes behind it begins a talk.
        const starts = played.filter(({ playout }) => playout.kind === 'packet' && playout.talkStart).length;
        expect(starts).toBe(chosen.talks.length);
      }),
      { numRuns: 200, seed: 2 },
    );
  });

  it('loses nothing to delay alone: what comes late in one piece is played in full', () => {
    // Everything from the 50th packet on comes 400 ms later at once, as behind a stalled process.
    const sent = send({
      firstSequence: 65_500,
      firstTimestamp: 0,
      talks: [{ frames: 200, pauseFrames: 0 }],
      fates: [{ lost: false, doubled: false, delayMs: 5 }],
    }).map((one) =>
      one.packet.id >= 50 && one.packet.id < 70 ? { ...one, arrivals: [1_000 + 70 * FRAME_MS + 5] } : one,
    );
    const played = play(real(), sent);
    expect(played.flatMap(({ playout }) => (playout.kind === 'packet' ? [playout.packet.id] : []))).toEqual(
      sent.map(({ packet }) => packet.id),
    );
  });

  it('makes up what is lost within talk, as much as was lost', () => {
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 120 }), fc.integer({ min: 1, max: 6 }), (at, count) => {
        const sent = send({
          firstSequence: 65_000,
          firstTimestamp: 4_294_900_000,
          talks: [{ frames: 200, pauseFrames: 0 }],
          fates: [{ lost: false, doubled: false, delayMs: 3 }],
        }).map((one) => (one.packet.id >= at && one.packet.id < at + count ? { ...one, arrivals: [] } : one));
        const kinds = play(real(), sent).map(({ playout }) => playout.kind);
        expect(kinds.length).toBe(200);
        expect(kinds.filter((kind) => kind === 'concealed').length).toBe(Math.min(3, count));
        expect(kinds.filter((kind) => kind === 'silence').length).toBe(Math.max(0, count - 3));
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it('plays what an oracle says: each frame in its place, or made up where it was lost', () => {
    fc.assert(
      fc.property(script(35, 20, 6), (chosen) => {
        // Losses on their own: of two in a row the second cannot be told from a pause in time.
        const all = send({ ...chosen, talks: chosen.talks.map((talk) => ({ ...talk, frames: talk.frames + 10 })) });
        const isEdge = (n: number): boolean => {
          const { packet } = all[n] as Sent;
          const neighbours = [all[n - 1], all[n + 1], all[n + 2], all[n + 3]];
          // The first of a talk is not missed, and behind its silence nothing is made up.
          return (
            packet.silent ||
            neighbours.some((one) => one === undefined || Math.abs(one.packet.timestamp - packet.timestamp) > 3 * 960)
          );
        };
        let lastLost = -9;
        const sent = all.map((one, n) => {
          const isLost = one.arrivals.length === 0 && n - lastLost > 3 && !isEdge(n);
          if (isLost) lastLost = n;
          // The first of a talk comes without delay: then no delay is taken back later, which passes over what is lost.
          const isFirst = n === 0 || one.packet.timestamp !== ((all[n - 1] as Sent).packet.timestamp + 960) >>> 0;
          if (isFirst) return { ...one, arrivals: [one.sentAt] };
          return isLost ? one : { ...one, arrivals: one.arrivals.length > 0 ? one.arrivals : [one.sentAt + 1] };
        });
        const want = sent.map(({ packet, arrivals }) => (arrivals.length === 0 ? 'concealed' : packet.id));
        const got = play(real(), sent).map(({ playout }) =>
          playout.kind === 'packet' ? playout.packet.id : playout.kind,
        );
        expect(got).toEqual(want);
      }),
      { numRuns: 200, seed: 6 },
    );
  });

  it('adapts its delay to the jitter, within its bounds', () => {
    const delayed = (maxDelayMs: number): number => {
      const buffer = real();
      play(
        buffer,
        send({
          firstSequence: 0,
          firstTimestamp: 0,
          talks: [{ frames: 500, pauseFrames: 0 }],
          fates: Array.from({ length: 97 }, (_, n) => ({
            lost: false,
            doubled: false,
            delayMs: (n * 31) % (maxDelayMs + 1),
          })),
        }),
      );
      return buffer.targetDelayMs;
    };
    expect(delayed(5)).toBe(60);
    expect(delayed(60)).toBeGreaterThan(70);
    expect(delayed(60)).toBeLessThan(90);
    expect(delayed(300)).toBe(100);
  });

  it('begins anew with a stream that does, and stays bounded when nobody plays', () => {
    const buffer = real();
    const packet = (id: number, sequenceNumber: number, timestamp: number): Packet => ({
      id,
      sequenceNumber,
      timestamp,
      silent: false,
    });
    for (let n = 0; n < 10_000; n += 1) buffer.push(packet(n, n & 0xffff, n * 960), n * 20);
    const first: number[] = [];
    for (let at = 200_000; at < 204_000; at += 20) {
      const playout = buffer.pop(at);
      if (playout?.kind === 'packet') first.push(playout.packet.id);
    }
    expect(first.length).toBeLessThanOrEqual(128);
    expect(first.at(-1)).toBe(9_999);
    // Other numbers by the same SSRC: a sender that was started again.
    for (let n = 0; n < 20; n += 1) buffer.push(packet(20_000 + n, 40_000 + n, 77 + n * 960), 210_000 + n * 20);
    const second: number[] = [];
    for (let at = 210_000; at < 211_000; at += 20) {
      const playout = buffer.pop(at);
      if (playout?.kind === 'packet') second.push(playout.packet.id);
    }
    expect(second).toEqual(Array.from({ length: 20 }, (_, n) => 20_000 + n));
  });

  /** Buffers with one mistake, as an implementer could make it, and the rule that shows it. */
  const MUTANTS: readonly (readonly [string, string, () => JitterBuffer<Packet>])[] = [
    [
      'duplicates are played again',
      'once',
      () => {
        const inner = real();
        let twice: Playout<Packet> | undefined;
        return wrap(inner, {
          pop(now) {
            const again = twice;
            twice = undefined;
            if (again !== undefined) return again;
            const playout = inner.pop(now);
            if (playout?.kind === 'packet' && playout.packet.id % 10 === 3) twice = playout;
            return playout;
          },
        });
      },
    ],
    [
      'packets are played as they come',
      'in order',
      () => {
        const queue: Packet[] = [];
        return wrap(real(), {
          push(packet) {
            queue.push(packet);
            return 'queued';
          },
          pop() {
            const packet = queue.shift();
            return packet && { kind: 'packet', packet, timestamp: packet.timestamp, talkStart: true };
          },
        });
      },
    ],
    [
      'everything lost is made up',
      'at most three made up',
      () => {
        const inner = real();
        return wrap(inner, {
          pop(now) {
            const playout = inner.pop(now);
            return playout?.kind === 'silence' ? { ...playout, kind: 'concealed' } : playout;
          },
        });
      },
    ],
    [
      'delay is never taken back',
      'in time',
      () => {
        const inner = real();
        let shift = 0;
        return wrap(inner, {
          pop(now) {
            const playout = inner.pop(now - shift);
            if (playout !== undefined && playout.kind !== 'packet') shift += 20;
            return playout;
          },
        });
      },
    ],
    [
      'what is lost is passed over',
      'no holes',
      () => {
        const inner = real();
        return wrap(inner, {
          pop(now) {
            let playout = inner.pop(now);
            while (playout !== undefined && playout.kind !== 'packet') playout = inner.pop(now);
            return playout;
          },
        });
      },
    ],
    [
      'timestamps are not extended',
      'no holes',
      () => {
        const inner = real();
        return wrap(inner, {
          push(packet, at) {
            // A jump where the real one wraps.
            return inner.push(
              { ...packet, timestamp: packet.timestamp > 2 ** 31 ? packet.timestamp - 48_000 : packet.timestamp },
              at,
            );
          },
          pop(now) {
            const playout = inner.pop(now);
            return playout?.kind === 'packet' ? { ...playout, talkStart: false } : playout;
          },
        });
      },
    ],
  ];

  it.each(MUTANTS)('catches: %s', (_name, rule, make) => {
    const found = new Set<string>();
    for (const chosen of fc.sample(script(150, 15), { numRuns: 60, seed: 4 })) {
      const result = run(make, chosen, 150);
      if (result !== undefined) found.add(result);
    }
    expect([...found]).toContain(rule);
  });
});

/** The real one with parts replaced. */
const wrap = (inner: JitterBuffer<Packet>, parts: Partial<JitterBuffer<Packet>>): JitterBuffer<Packet> => ({
  push: (packet, at) => inner.push(packet, at),
  pop: (now) => inner.pop(now),
  get nextAt() {
    return inner.nextAt;
  },
  get targetDelayMs() {
    return inner.targetDelayMs;
  },
  counts: inner.counts,
  ...parts,
});
