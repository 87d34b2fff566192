/**
 * Hostile bytes: valid packets changed at random, and noise. A seeded sample; GUILDKIT_FUZZ_INPUTS sets how many inputs
 * each parser gets, GUILDKIT_FUZZ_SEED where they begin.
 */
import {
  buildRtcp,
  buildRtp,
  createPacketCipher,
  ENCRYPTION_MODES,
  fromRtx,
  opus,
  parseHeaderExtensions,
  parseRtcp,
  parseRtp,
} from '@guildkit/rtp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rtcpPacket, rtpPacket } from '../support/arbitraries.js';
import { dice, mutate } from '../support/bytes.js';
import { FORMATS, send } from '../support/frames.js';

const INPUTS = Number(process.env.GUILDKIT_FUZZ_INPUTS ?? 20_000);
const SEED = Number(process.env.GUILDKIT_FUZZ_SEED ?? 1);
// Proportional, so that a long run does not meet the default limit.
const TIMEOUT_MS = Math.max(60_000, INPUTS * 2);

/** Changed copies of the seeds, every tenth input noise of a header's first bits. */
function inputs(seeds: readonly Uint8Array[], use: (bytes: Uint8Array, n: number) => void): void {
  const below = dice(SEED);
  for (let n = 0; n < INPUTS; n += 1) {
    const noise = n % 10 === 0;
    const bytes = noise
      ? Uint8Array.from({ length: below(80) }, (_, at) => (at === 0 ? 0x80 | below(64) : below(256)))
      : mutate(seeds[below(seeds.length)] as Uint8Array, below);
    try {
      use(bytes, n);
    } catch (error) {
      throw new Error(`input ${n} of seed ${SEED}: ${Buffer.from(bytes).toString('hex')}`, { cause: error });
    }
  }
}

/** Whether a view lies within the bytes it was parsed from. */
function expectWithin(view: Uint8Array, bytes: Uint8Array): void {
  const inside =
    view.buffer === bytes.buffer &&
    view.byteOffset >= bytes.byteOffset &&
    view.byteOffset + view.byteLength <= bytes.byteOffset + bytes.byteLength;
  if (!inside) throw new Error('a view leads out of the packet');
}

describe('hostile bytes', () => {
  it(
    'RTP, its extensions and retransmissions',
    () => {
      const seeds = fc.sample(rtpPacket, { seed: SEED, numRuns: 200 }).map(buildRtp);
      let parsed = 0;
      inputs(seeds, (bytes) => {
        const result = parseRtp(bytes);
        if (!result.ok) return;
        parsed += 1;
        const { payload, extension } = result.value;
        expectWithin(payload, bytes);
        if (extension !== undefined) {
          expectWithin(extension.data, bytes);
          const elements = parseHeaderExtensions(extension);
          if (elements.ok) for (const { data } of elements.value) expectWithin(data, bytes);
        }
        fromRtx(result.value, { ssrc: 1, payloadType: 105 });
        // What is accepted can be written again, and says the same; but nobody should write the types RFC 5761 rules out.
        if (result.value.payloadType >= 64 && result.value.payloadType <= 95) return;
        const again = parseRtp(buildRtp(result.value));
        if (!again.ok || again.value.payload.length !== payload.length)
          throw new Error('not the same when written again');
      });
      // Else only the first checks were met.
      expect(parsed).toBeGreaterThan(INPUTS / 20);
    },
    TIMEOUT_MS,
  );

  it(
    'RTCP',
    () => {
      const seeds = fc
        .sample(fc.array(rtcpPacket, { minLength: 1, maxLength: 3 }), { seed: SEED, numRuns: 200 })
        .map(buildRtcp);
      let parsed = 0;
      inputs(seeds, (bytes) => {
        const result = parseRtcp(bytes);
        if (!result.ok) return;
        parsed += 1;
        // Numbers of packets are bounded by bytes: a NACK's four bytes name at most 17.
        for (const packet of result.value) {
          if (packet.type === 'nack')
            expect(packet.sequenceNumbers.length).toBeLessThanOrEqual((bytes.length / 4) * 17);
          if (packet.type === 'transportFeedback') expectWithin(packet.data, bytes);
        }
        expect(result.value.length).toBeLessThanOrEqual(bytes.length / 4);
        if (!parseRtcp(buildRtcp(result.value)).ok) throw new Error('not accepted when written again');
      });
      expect(parsed).toBeGreaterThan(INPUTS / 20);
    },
    TIMEOUT_MS,
  );

  it.each(ENCRYPTION_MODES)(
    'sealed packets of %s',
    async (mode) => {
      const cipher = await createPacketCipher(mode, new Uint8Array(32), { sodium: 'libsodium-wrappers' });
      const plain = [
        ...fc.sample(rtpPacket, { seed: SEED, numRuns: 50 }).map(buildRtp),
        ...fc
          .sample(rtcpPacket, { seed: SEED, numRuns: 50 })
          .map(buildRtcp)
          .filter(({ length }) => length >= 8),
      ];
      const seeds = plain.map((packet) => cipher.seal(packet));
      const reasons = new Set<string>();
      inputs(seeds, (bytes) => {
        const result = cipher.open(bytes);
        if (!result.ok) reasons.add(result.reason);
      });
      expect([...reasons].sort()).toEqual(['forged', 'truncated', 'version']);
    },
    TIMEOUT_MS,
  );

  it.each(FORMATS)(
    'payloads of $name',
    (format) => {
      const maxFrameBytes = 2_000;
      const samples = fc.sample(format.sample, { seed: SEED, numRuns: 50 });
      const packets = send(format, samples, 60);
      const receiver = format.createDepacketizer({ maxFrameBytes });
      const below = dice(SEED + 1);
      let frames = 0;
      let sequenceNumber = 0;
      inputs(
        packets.map(({ payload }) => payload),
        (payload, n) => {
          sequenceNumber = (sequenceNumber + (below(20) === 0 ? below(65_536) : 1)) & 0xffff;
          const packet = { sequenceNumber, timestamp: n - below(3), marker: below(4) === 0, payload };
          for (const frame of receiver.push(packet)) {
            frames += 1;
            if (frame.data.length > maxFrameBytes) throw new Error('a frame beyond the bound');
          }
          opus.samplesOf(payload);
        },
      );
      expect(frames).toBeGreaterThan(0);
      expect(receiver.stats.frames).toBe(frames);
    },
    TIMEOUT_MS,
  );

  it.each(FORMATS)('an endless frame of $name keeps no more than its bound', (format) => {
    const receiver = format.createDepacketizer({ maxFrameBytes: 1_000 });
    // One byte of content in each packet, never a marker, always the same timestamp.
    const first = send(format, fc.sample(format.sample, { seed: 2, numRuns: 1 }), 24)[0];
    const more = { vp8: '0011', vp9: '0011', h264: '7c0511', opus: '11' }[format.name] ?? '';
    const payload = Uint8Array.from(Buffer.from(more, 'hex'));
    let frames = 0;
    for (let n = 0; n < 100_000; n += 1) {
      const piece = n === 0 && first !== undefined ? first.payload : payload;
      frames += receiver.push({ sequenceNumber: n & 0xffff, timestamp: 0, marker: false, payload: piece }).length;
    }
    expect(frames).toBe(format.name === 'opus' ? 100_000 : 0);
    // Dropped once, not once for each packet.
    if (format.name !== 'opus') expect(receiver.stats).toEqual({ frames: 0, dropped: 1, malformed: 0, ignored: 0 });
  });
});
