/** Order and retransmission of video: receiver and sender against a lossy network by seed, and sequencers with one mistake each. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPacketSequencer, type PacketSequencer } from '../../src/media/protocol/packet-sequencer.js';
import { createSentPackets } from '../../src/media/protocol/sent-packets.js';
import { dice } from '../support/media-link.js';

interface Packet {
  readonly sequenceNumber: number;
  readonly id: number;
}

interface Network {
  readonly seed: number;
  readonly count: number;
  readonly loss: number;
  readonly jitterMs: number;
  readonly first: number;
  readonly answers: boolean;
}

interface Outcome {
  readonly out: readonly { readonly id: number; readonly at: number }[];
  /** Times at which each was asked for, by id. */
  readonly asked: ReadonlyMap<number, readonly number[]>;
  readonly noticed: ReadonlyMap<number, number>;
  readonly lost: number;
}

const DELAY_MS = 20;

/** One packet each 2 ms; requests and retransmissions take the same way. */
function run(sequencer: PacketSequencer<Packet>, { seed, count, loss, jitterMs, first, answers }: Network): Outcome {
  const random = dice(seed);
  const history = createSentPackets();
  const events: { at: number; work: (now: number) => void }[] = [];
  const out: { id: number; at: number }[] = [];
  const asked = new Map<number, number[]>();
  const noticed = new Map<number, number>();
  let newest = -1;
  const plan = (at: number, work: (now: number) => void): void => {
    events.push({ at, work });
  };
  const arrive = (packet: Packet) => (now: number) => {
    for (let id = newest + 1; id < packet.id; id += 1) noticed.set(id, now);
    newest = Math.max(newest, packet.id);
    sequencer.push(packet, now);
  };
  const carry = (now: number, work: (now: number) => void): void => {
    if (random() >= loss) plan(now + DELAY_MS + random() * jitterMs, work);
  };
  for (let id = 0; id < count; id += 1) {
    const packet = { id, sequenceNumber: (first + id) & 0xffff };
    plan(id * 2, (now) => {
      history.add({ ...packet, payloadType: 105, ssrc: 1, timestamp: id, payload: new Uint8Array(1) });
      carry(now, arrive(packet));
    });
  }
  const end = count * 2 + 1_500;
  for (let now = 0; now < end; now += 1) {
    const due = events.filter(({ at }) => at <= now);
    for (const event of due) {
      events.splice(events.indexOf(event), 1);
      event.work(now);
    }
    for (let packet = sequencer.pop(now); packet !== undefined; packet = sequencer.pop(now))
      out.push({ id: packet.id, at: now });
    const nacks = sequencer.nacks(now, DELAY_MS * 2);
    for (const sequenceNumber of nacks) {
      const id = (sequenceNumber - first) & 0xffff;
      asked.set(id, [...(asked.get(id) ?? []), now]);
      if (!answers) continue;
      carry(now, (later) => {
        const found = history.take(sequenceNumber, later);
        if (found !== undefined) carry(later, arrive({ id: found.timestamp, sequenceNumber }));
      });
    }
  }
  return { out, asked, noticed, lost: sequencer.lost };
}

function broken({ out, asked, noticed }: Outcome): string | undefined {
  for (let n = 1; n < out.length; n += 1) {
    if ((out[n]?.id as number) <= (out[n - 1]?.id as number)) return 'in order, once';
  }
  const handedOut = new Set(out.map(({ id }) => id));
  for (const [id, times] of asked) {
    const since = noticed.get(id) ?? 0;
    if ((times[0] as number) - since < 10) return 'not at once';
    if ((times[0] as number) - since > 20) return 'soon';
    if (times.length > 8) return 'not for ever';
    for (let n = 1; n < times.length; n += 1) if ((times[n] as number) - (times[n - 1] as number) < 30) return 'apart';
    if ((times.at(-1) as number) - since > 450) return 'not for ever';
  }
  for (const [id, since] of noticed) {
    const after = out.find((one) => one.id > id);
    if (!handedOut.has(id) && after !== undefined && after.at - since > 450) return 'given up in time';
  }
  return undefined;
}

const network = (loss: number, jitterMs: number, answers = true): fc.Arbitrary<Network> =>
  fc.record({
    seed: fc.integer(),
    count: fc.constant(400),
    loss: fc.constant(loss),
    jitterMs: fc.constant(jitterMs),
    first: fc.oneof(fc.integer({ min: 65_200, max: 65_535 }), fc.integer({ min: 0, max: 65_535 })),
    answers: fc.constant(answers),
  });

describe('packet sequencer', () => {
  it.each([
    [0, 0],
    [0, 30],
    [0.05, 0],
    [0.1, 40],
    [0.3, 40],
  ])('keeps its rules with loss %d and jitter of %d ms', (loss, jitterMs) => {
    fc.assert(
      fc.property(network(loss, jitterMs), (chosen) => {
        const outcome = run(createPacketSequencer<Packet>(), chosen);
        expect(broken(outcome)).toBeUndefined();
        // A stream begins 10 ms after its first packet: what is later than that and comes before is gone.
        if (loss === 0) expect(outcome.out.length + (outcome.out[0]?.id as number)).toBe(400);
        if (loss === 0 && jitterMs === 0) expect(outcome.asked.size).toBe(0);
        // Five of a hundred lost, asked for up to eight times: next to nothing is missing in the end.
        if (loss === 0.05) expect(outcome.lost).toBeLessThanOrEqual(1);
      }),
      { numRuns: 12, seed: 1 },
    );
  });

  it('gives up on what never comes', () => {
    const outcome = run(createPacketSequencer<Packet>(), {
      seed: 4,
      count: 400,
      loss: 0.05,
      jitterMs: 10,
      first: 65_400,
      answers: false,
    });
    expect(broken(outcome)).toBeUndefined();
    expect(outcome.lost).toBeGreaterThan(5);
    expect(outcome.out.length + outcome.lost).toBeGreaterThanOrEqual(398);
  });

  it('stays bounded over jumps, and begins anew behind them', () => {
    const sequencer = createPacketSequencer<Packet>();
    let id = 0;
    for (const sequenceNumber of [10, 11, 13, 5_000, 5_001, 40_000, 39_999, 40_001, 100, 101]) {
      sequencer.push({ sequenceNumber, id }, id);
      id += 1;
    }
    const numbers: number[] = [];
    for (let packet = sequencer.pop(1_000); packet !== undefined; packet = sequencer.pop(1_000))
      numbers.push(packet.sequenceNumber);
    expect(numbers).toEqual([100, 101]);
    expect(sequencer.nacks(2_000, 50).length).toBe(0);
    expect(sequencer.nextAt).toBeUndefined();
  });

  const real = (): PacketSequencer<Packet> => createPacketSequencer<Packet>();
  const wrap = (inner: PacketSequencer<Packet>, parts: Partial<PacketSequencer<Packet>>): PacketSequencer<Packet> => ({
    push: (packet, now) => inner.push(packet, now),
    pop: (now) => inner.pop(now),
    nacks: (now, roundTrip) => inner.nacks(now, roundTrip),
    get nextAt() {
      return inner.nextAt;
    },
    get lost() {
      return inner.lost;
    },
    ...parts,
  });

  it.each<[string, string, () => PacketSequencer<Packet>]>([
    [
      'packets are handed out as they come',
      'in order, once',
      () => {
        const queue: Packet[] = [];
        return wrap(real(), {
          push(packet) {
            queue.push(packet);
            return 'queued';
          },
          pop: () => queue.shift(),
        });
      },
    ],
    [
      'gaps are asked for at once',
      'not at once',
      () => {
        const inner = real();
        return wrap(inner, { nacks: (now, roundTrip) => inner.nacks(now + 10, roundTrip) });
      },
    ],
    [
      'every call asks again',
      'apart',
      () => {
        const inner = real();
        let last: readonly number[] = [];
        return wrap(inner, {
          nacks(now, roundTrip) {
            const asked = inner.nacks(now, roundTrip);
            const again = asked.length > 0 ? [] : last;
            last = asked;
            return [...asked, ...again];
          },
        });
      },
    ],
    [
      'what never comes is waited for',
      'given up in time',
      () => {
        const inner = real();
        return wrap(inner, { pop: (now) => inner.pop(now - 300) });
      },
    ],
    [
      'requests are made too late',
      'soon',
      () => {
        const inner = real();
        return wrap(inner, { nacks: (now, roundTrip) => inner.nacks(now - 15, roundTrip) });
      },
    ],
  ])('catches: %s', (_name, rule, make) => {
    const found = fc
      .sample(network(0.2, 40), { numRuns: 4, seed: 2 })
      .map((chosen) => broken(run(make(), { ...chosen, answers: rule !== 'given up in time' })));
    expect(found).toContain(rule);
  });
});

describe('sent packets', () => {
  it('answers what it remembers, not twice at once, and not without end', () => {
    const history = createSentPackets();
    const packet = (sequenceNumber: number) => ({
      payloadType: 105,
      ssrc: 1,
      sequenceNumber,
      timestamp: 0,
      payload: new Uint8Array(1),
    });
    for (let n = 64_000; n < 64_000 + 3_000; n += 1) history.add(packet(n & 0xffff));
    expect(history.take(64_100, 0)).toBeUndefined();
    expect(history.take(1_400, 0)?.sequenceNumber).toBe(1_400);
    expect(history.take(1_400, 10)).toBeUndefined();
    expect(history.take(1_400, 25)).toBeDefined();
    let answered = 0;
    for (let round = 0; round < 3; round += 1) {
      for (let n = 500; n < 1_460; n += 1) if (history.take(n, 2_000 + round * 30) !== undefined) answered += 1;
    }
    expect(answered).toBe(1_000);
  });
});
