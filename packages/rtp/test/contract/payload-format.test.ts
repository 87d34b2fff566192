/** What every payload format keeps to. */
import { RtpError } from '@guildkit/rtp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FORMATS, type Sent, send } from '../support/frames.js';

const mtus = fc.integer({ min: 24, max: 200 });

describe.each(FORMATS)('$name', (format) => {
  const samples = fc.array(format.sample, { minLength: 1, maxLength: 12 });
  const frameOf = (packets: readonly Sent[], timestamp: number) =>
    packets.find((packet) => packet.timestamp === timestamp)?.frame ?? -1;

  it('gives back every frame, whatever the MTU', () => {
    fc.assert(
      fc.property(samples, mtus, (list, mtu) => {
        const packets = send(format, list, mtu);
        const receiver = format.createDepacketizer();
        const frames = packets.flatMap((packet) => receiver.push(packet));
        expect(frames.map(({ data }) => Buffer.from(data).toString('hex'))).toEqual(
          list.map(({ data }) => Buffer.from(data).toString('hex')),
        );
        for (const [n, frame] of frames.entries()) {
          const first = packets.find((packet) => packet.frame === n);
          expect(frame).toMatchObject({
            timestamp: first?.timestamp,
            sequenceNumber: first?.sequenceNumber,
            discontinuity: false,
          });
          expect(frame.keyframe).toBe(list[n]?.keyframe);
        }
        expect(receiver.stats).toEqual({ frames: list.length, dropped: 0, malformed: 0, ignored: 0 });
      }),
    );
  });

  it('keeps payloads within the MTU, and marks the last one of a frame of video', () => {
    fc.assert(
      fc.property(format.sample, mtus, (sample, mtu) => {
        const payloads = format.packetize(sample, 0, mtu);
        const limit = format.name === 'opus' ? 100 : mtu;
        expect(payloads.every(({ payload }) => payload.length > 0 && payload.length <= limit)).toBe(true);
        expect(payloads.map(({ marker }) => marker)).toEqual(
          payloads.map((_, n) => format.name !== 'opus' && n === payloads.length - 1),
        );
      }),
    );
  });

  it('never gives out a frame that was not sent, whatever is lost or comes twice, and says where something is missing', () => {
    fc.assert(
      fc.property(
        samples,
        mtus,
        fc.array(fc.constantFrom('pass', 'pass', 'pass', 'lose', 'twice'), { minLength: 1, maxLength: 40 }),
        (list, mtu, fates) => {
          const packets = send(format, list, mtu);
          // Where beginnings are not marked, a stream's first packet is taken for one.
          const fateOf = (n: number) => (n === 0 && format.name === 'h264' ? 'pass' : fates[n % fates.length]);
          const receiver = format.createDepacketizer();
          const arrived = packets.flatMap((packet, n) => {
            const fate = fateOf(n);
            return fate === 'lose' ? [] : fate === 'twice' ? [packet, packet] : [packet];
          });
          const frames = arrived.flatMap((packet) => receiver.push(packet));
          let before: number | undefined;
          for (const frame of frames) {
            const n = frameOf(packets, frame.timestamp);
            expect(Buffer.compare(frame.data, list[n]?.data as Uint8Array)).toBe(0);
            // A frame of which a packet was lost is not given out.
            expect(packets.every((packet, at) => packet.frame !== n || fateOf(at) !== 'lose')).toBe(true);
            if (before !== undefined) expect(frame.discontinuity).toBe(n !== before + 1);
            before = n;
          }
          expect(receiver.stats.frames).toBe(frames.length);
          expect(receiver.stats.ignored).toBe(packets.filter((_, n) => fateOf(n) === 'twice').length);
        },
      ),
    );
  });

  it('loses no more than the frames a loss touches and, where beginnings are not marked, the one behind', () => {
    fc.assert(
      fc.property(samples, mtus, fc.nat(), (list, mtu, chosen) => {
        const packets = send(format, list, mtu);
        const at = format.name === 'h264' ? 1 + (chosen % packets.length) : chosen % packets.length;
        const receiver = format.createDepacketizer();
        const frames = packets.flatMap((packet, n) => (n === at ? [] : receiver.push(packet)));
        const got = new Set(frames.map(({ timestamp }) => frameOf(packets, timestamp)));
        const lost = packets[at];
        fc.pre(lost !== undefined);
        const next = packets[at + 1];
        for (const n of list.keys()) {
          if (n === lost?.frame) expect(got.has(n)).toBe(false);
          else if (format.name === 'h264' && n === next?.frame) continue;
          else expect(got.has(n)).toBe(true);
        }
      }),
    );
  });

  it('goes on after a jump of the sequence number in either direction', () => {
    fc.assert(
      fc.property(samples, fc.constantFrom(65_530 - 200, 1_000, 30_000), (list, next) => {
        const receiver = format.createDepacketizer();
        for (const packet of send(format, list, 60)) receiver.push(packet);
        const before = receiver.stats.frames;
        const again = [...list, ...list];
        for (const packet of send(format, again, 60, next)) {
          receiver.push({ ...packet, timestamp: (packet.timestamp + 900_000) >>> 0 });
        }
        // The first one may be refused where beginnings are not marked.
        expect(receiver.stats.frames - before).toBeGreaterThanOrEqual(again.length - 1);
      }),
    );
  });

  it('takes payloads of nothing for padding', () => {
    fc.assert(
      fc.property(samples, (list) => {
        const receiver = format.createDepacketizer();
        const empty = new Uint8Array(0);
        // A probe behind every frame; numbers go on over it.
        const frames = send(format, list, 60).flatMap((packet, _n, all) => {
          const shift = packet.frame;
          const sequenceNumber = (packet.sequenceNumber + shift) & 0xffff;
          const isLast = all.findLast(({ frame }) => frame === packet.frame) === packet;
          const probe = { ...packet, sequenceNumber: (sequenceNumber + 1) & 0xffff, payload: empty, marker: false };
          return [...receiver.push({ ...packet, sequenceNumber }), ...(isLast ? receiver.push(probe) : [])];
        });
        expect(frames.map(({ discontinuity }) => discontinuity)).toEqual(list.map(() => false));
      }),
    );
  });

  it('drops a frame larger than maxFrameBytes, and only that', () => {
    fc.assert(
      fc.property(samples, fc.integer({ min: 1, max: 400 }), mtus, (list, maxFrameBytes, mtu) => {
        const receiver = format.createDepacketizer({ maxFrameBytes });
        const frames = send(format, list, mtu).flatMap((packet) => receiver.push(packet));
        const fitting = list.filter(({ data }) => data.length <= maxFrameBytes);
        expect(frames.map(({ data }) => data.length)).toEqual(fitting.map(({ data }) => data.length));
        expect(receiver.stats.dropped).toBe(list.length - fitting.length);
      }),
    );
  });

  it('forgets what is incomplete when it is reset', () => {
    const [sample] = fc.sample(format.sample, { seed: 1, numRuns: 1 });
    const packets = send(format, [sample as never], 24);
    const receiver = format.createDepacketizer();
    for (const packet of packets.slice(0, -1)) receiver.push(packet);
    receiver.reset();
    const frames = packets.flatMap((packet) =>
      receiver.push({ ...packet, sequenceNumber: packet.sequenceNumber ^ 0x4000 }),
    );
    expect(frames.map(({ discontinuity }) => discontinuity)).toEqual([false]);
  });

  it('refuses an empty frame, and options it does not know or that are out of range', () => {
    const sample = { data: new Uint8Array(0), keyframe: true };
    expect(() => format.packetize(sample, 0, 100)).toThrow(RtpError);
    expect(() => format.createDepacketizer({ maxFrameBytes: 0 })).toThrow(TypeError);
    expect(() => format.createDepacketizer({ nothing: 1 } as never)).toThrow(TypeError);
    const [any] = fc.sample(format.sample, { seed: 1, numRuns: 1 });
    if (format.name !== 'opus') expect(() => format.packetize(any as never, 0, 23)).toThrow(TypeError);
  });
});
