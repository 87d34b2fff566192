/** Whose stream it is, who is heard, what is counted, and PCM of it. */
import { opus as opusFormat, type RtpPacket } from '@guildkit/rtp';
import { createVirtualClock, type VirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { MixedAudio, ReceivedAudio } from '../../src/media/audio-types.js';
import type { OpusCodec } from '../../src/media/codec/opus-codec.js';
import { createMediaEngine, type MediaEngine, type TalkEvent } from '../../src/media/media-engine.js';
import type { InboundStats } from '../../src/media/media-stats.js';
import { splitOpus } from '../../src/media/protocol/opus-frames.js';
import { createRateMeter } from '../../src/media/protocol/rate-meter.js';
import { createReception, roundTripOf } from '../../src/media/protocol/reception.js';
import { createSsrcTable } from '../../src/media/protocol/ssrc-table.js';
import { createTickSchedule } from '../../src/media/protocol/tick-schedule.js';
import { frameSizeOf, isKeyframe } from '../../src/media/protocol/video-header.js';
import type { RemoteVideo } from '../../src/media/transport.js';
import { createLink, type Side } from '../support/media-link.js';

let clock: VirtualClock;
let side: Side;
let engine: MediaEngine;
let talks: TalkEvent[];
let errors: unknown[];
let concealed: number;

/** Decodes to the packet's third byte; what is made up is -1. */
const codec: OpusCodec = {
  name: 'test',
  createEncoder: () => {
    throw new Error('not here');
  },
  createDecoder: ({ channels }) => ({
    channels,
    decode: (packet) =>
      new Int16Array((opusFormat.samplesOf(packet) as number) * channels).fill((packet[2] as number) * 10),
    conceal(samples) {
      concealed += 1;
      return new Int16Array(samples * channels).fill(-1);
    },
    reset() {},
    free() {},
  }),
};

beforeEach(() => {
  clock = createVirtualClock();
  side = createLink(clock)[0];
  talks = [];
  errors = [];
  concealed = 0;
  engine = createMediaEngine({
    transport: side,
    opusCodec: codec,
    onTalk: (event) => talks.push(event),
    onError: (error) => errors.push(error),
    random: () => 0.5,
  });
});

const rtp = (ssrc: number, n: number, payload: Uint8Array = Uint8Array.of(0xfc, 0, n & 0x7f)): RtpPacket => ({
  marker: n === 0,
  payloadType: 120,
  sequenceNumber: (65_530 + n) & 0xffff,
  timestamp: (4_294_966_000 + n * 960) >>> 0,
  ssrc,
  csrcs: [7, 8],
  extension: undefined,
  payload,
  paddingLength: 0,
});
const arrive = (packet: RtpPacket): void => {
  for (const listener of side.listeners) listener.onRtp?.(packet, clock.now());
};
const speaks = (userId: string, ssrc: number): void => {
  for (const listener of side.listeners) listener.onSpeaking?.({ userId, ssrc, flags: 1 });
};
/** Packets `from` to `to`, one every 20 ms. */
async function talk(ssrc: number, from: number, to: number, without: readonly number[] = []): Promise<void> {
  for (let n = from; n < to; n += 1) {
    if (!without.includes(n)) arrive(rtp(ssrc, n));
    await clock.advance(20);
  }
}

describe('onAudio', () => {
  it('gives each packet to its user, with what RTP says of it', async () => {
    const frames: ReceivedAudio[] = [];
    engine.onAudio((frame) => frames.push(frame));
    speaks('a', 1);
    await talk(1, 0, 10);
    await clock.advance(500);
    expect(frames.filter(({ kind }) => kind === 'packet').map(({ rtp: meta }) => meta?.sequenceNumber)).toEqual(
      Array.from({ length: 10 }, (_, n) => (65_530 + n) & 0xffff),
    );
    expect(frames[0]).toMatchObject({
      userId: 'a',
      ssrc: 1,
      talkStart: true,
      samples: 960,
      pcm: undefined,
      timestamp: 4_294_966_000,
      rtp: { csrcs: [7, 8], marker: true },
    });
    expect(talks.map(({ userId, talking }) => [userId, talking])).toEqual([
      ['a', true],
      ['a', false],
    ]);
  });

  it('holds packets of someone unknown until they are announced, and not for ever', async () => {
    const heard: string[] = [];
    engine.onAudio(({ userId, kind }) => kind === 'packet' && heard.push(userId));
    await talk(5, 0, 10);
    speaks('late', 5);
    await talk(5, 10, 20);
    await clock.advance(300);
    expect(heard.length).toBe(20);
    for (let ssrc = 100; ssrc < 300; ssrc += 1) for (let n = 0; n < 60; n += 1) arrive(rtp(ssrc, n));
    expect(engine.stats().unknownPackets).toBeGreaterThan(200 * 60 - 32 * 51);
    await clock.advance(2_000);
    speaks('never', 299);
    await clock.advance(300);
    expect(heard.includes('never')).toBe(false);
  });

  it('follows an SSRC to another user, a user to another SSRC, and forgets who has left', async () => {
    const heard: string[] = [];
    engine.onAudio(({ userId, ssrc, kind }) => kind === 'packet' && heard.push(`${userId}${ssrc}`));
    speaks('a', 1);
    await talk(1, 0, 5);
    await clock.advance(400);
    speaks('b', 1);
    await talk(1, 5, 8);
    await clock.advance(400);
    speaks('b', 2);
    await talk(2, 0, 2);
    arrive(rtp(1, 20));
    await clock.advance(400);
    expect(heard).toEqual(['a1', 'a1', 'a1', 'a1', 'a1', 'b1', 'b1', 'b1', 'b2', 'b2']);
    await talk(2, 2, 4);
    for (const listener of side.listeners) listener.onUserLeft?.('b');
    expect(talks.at(-1)).toMatchObject({ userId: 'b', talking: false });
    expect(engine.stats().inbound).toEqual([]);
    await clock.advance(400);
    expect(talks.filter(({ talking }) => talking).length).toBe(talks.filter(({ talking }) => !talking).length);
  });

  it('decodes for those who want PCM: mono, stereo, one user; what is lost is made up', async () => {
    const stereo: ReceivedAudio[] = [];
    const mono: ReceivedAudio[] = [];
    let stats: InboundStats | undefined;
    engine.onAudio(
      (frame) => {
        stereo.push(frame);
        if (stereo.length === 20) stats = engine.stats().inbound.find(({ userId }) => userId === 'a');
      },
      { format: 'pcm', userId: 'a' },
    );
    engine.onAudio((frame) => mono.push(frame), { format: 'pcm', channels: 1 });
    speaks('a', 1);
    speaks('b', 2);
    await clock.advance(1);
    arrive(rtp(2, 0));
    await talk(1, 0, 20, [10, 13, 14, 15, 16, 17]);
    await clock.advance(60);
    const kinds = stereo
      .slice(0, 20)
      .map(({ kind }) => kind[0])
      .join('');
    expect(kinds).toBe('ppppppppppcppcccsspp');
    expect(stereo.every(({ pcm, userId }) => pcm?.length === 1_920 && userId === 'a')).toBe(true);
    expect(stereo[3]?.pcm?.[5]).toBe(30);
    expect(stereo[10]?.pcm?.[0]).toBe(-1);
    expect(stereo[16]?.pcm?.[0]).toBe(0);
    expect(mono.some(({ userId }) => userId === 'b')).toBe(true);
    expect(mono.every(({ pcm, channels }) => pcm?.length === 960 && channels === 1)).toBe(true);
    expect(stats).toMatchObject({ lost: 6, frames: 14, concealedMs: 80, silencedMs: 40 });
  });

  it('counts what DAVE cannot decrypt, and makes sound up for it', async () => {
    side.decryptFrame = (_user, _codec, frame) =>
      (frame[2] as number) % 4 === 3 ? { ok: false, reason: 'noKey' } : { ok: true, frame };
    const kinds: string[] = [];
    engine.onAudio(({ kind }) => kinds.push(kind[0] as string), { format: 'pcm' });
    speaks('a', 1);
    await talk(1, 0, 12);
    await clock.advance(40);
    expect(kinds.join('').slice(0, 12)).toBe('pppcpppcpppc');
    expect(engine.stats().inbound[0]).toMatchObject({ decryptFailures: 3, concealedMs: 60 });
    expect(concealed).toBe(3);
  });

  it('a key that comes while a frame waits is in time', async () => {
    let hasKey = false;
    side.decryptFrame = (_user, _codec, frame) => (hasKey ? { ok: true, frame } : { ok: false, reason: 'noKey' });
    const kinds: string[] = [];
    engine.onAudio(({ kind }) => kinds.push(kind));
    speaks('a', 1);
    arrive(rtp(1, 0));
    await clock.advance(30);
    hasKey = true;
    await talk(1, 1, 5);
    expect(kinds).toContain('packet');
    expect(engine.stats().inbound[0]?.decryptFailures).toBe(0);
  });

  it('mixes everyone, every 20 ms, silence too', async () => {
    const mixed: MixedAudio[] = [];
    const stop = engine.onMixedAudio((frame) => mixed.push(frame));
    speaks('a', 1);
    speaks('b', 2);
    await clock.advance(1_000);
    expect(mixed.length).toBeGreaterThanOrEqual(49);
    for (let n = 0; n < 30; n += 1) {
      arrive(rtp(1, n, Uint8Array.of(0xfc, 0, 50)));
      if (n >= 10 && n < 20) arrive(rtp(2, n, Uint8Array.of(0xfc, 0, 25)));
      await clock.advance(20);
    }
    await clock.advance(500);
    const levels = mixed.map(({ pcm }) => pcm[100]);
    expect(levels.filter((level) => level === 750).length).toBeGreaterThanOrEqual(10);
    expect(levels.filter((level) => level === 500).length).toBeGreaterThanOrEqual(14);
    expect(mixed.find(({ pcm }) => pcm[100] === 750)?.userIds).toEqual(['a', 'b']);
    expect(mixed.every(({ pcm }) => pcm.length === 1_920)).toBe(true);
    stop();
    const count = mixed.length;
    await clock.advance(500);
    expect(mixed.length).toBe(count);
    expect(clock.pending).toBeLessThanOrEqual(1);
  });

  it('goes on when a listener throws, and says so', async () => {
    let heard = 0;
    engine.onAudio(() => {
      throw new Error('mine');
    });
    const stop = engine.onAudio(({ kind }) => {
      if (kind === 'packet') heard += 1;
    });
    speaks('a', 1);
    await talk(1, 0, 5);
    await clock.advance(200);
    expect(heard).toBe(5);
    expect(errors[0]).toMatchObject({ code: 'ERR_RTC_LISTENER_FAILED', cause: new Error('mine') });
    stop();
    stop();
    expect(() => engine.onAudio(() => {}, { channels: 5 } as never)).toThrow(TypeError);
  });

  it('keeps nothing while nobody listens', async () => {
    speaks('a', 1);
    await talk(1, 0, 200);
    expect(clock.pending).toBeLessThanOrEqual(1);
    expect(engine.stats().inbound[0]).toMatchObject({ packets: 200, frames: 0, lost: 0 });
    expect(engine.stats().inbound[0]?.bitrate).toBeGreaterThan(1_000);
  });

  it('a new session voids what was known', async () => {
    engine.onAudio(() => {});
    speaks('a', 1);
    await talk(1, 0, 5);
    const { session } = side;
    side.setSession(undefined);
    expect(talks.at(-1)?.talking).toBe(false);
    side.setSession(session);
    expect(engine.stats().inbound).toEqual([]);
  });
});

describe('SSRC table', () => {
  const video = (parts: Partial<RemoteVideo>): RemoteVideo => ({
    userId: 'a',
    audioSsrc: 0,
    videoSsrc: 0,
    rtxSsrc: 0,
    streams: [],
    ...parts,
  });
  const stream = (ssrc: number, rid: string, active = true) => ({
    ssrc,
    rtxSsrc: ssrc + 1,
    rid,
    quality: Number(rid),
    active,
    maxBitrate: 0,
    maxFramerate: 0,
    width: 0,
    height: 0,
  });

  it('knows streams of video with their layers, and which packets come again where', () => {
    const table = createSsrcTable();
    table.onVideo(
      video({
        audioSsrc: 1,
        videoSsrc: 10,
        rtxSsrc: 11,
        streams: [stream(10, '100'), stream(20, '50'), stream(30, '25', false)],
      }),
      0,
    );
    expect(table.ownerOf(1)).toMatchObject({ kind: 'audio', userId: 'a' });
    expect(table.ownerOf(10)).toMatchObject({ kind: 'video', rid: '100', quality: 100 });
    expect(table.ownerOf(21)).toMatchObject({ kind: 'rtx', mainSsrc: 20 });
    expect(table.ownerOf(30)).toBeUndefined();
    const { ended } = table.onVideo(video({ videoSsrc: 10, streams: [stream(10, '100')] }), 0);
    expect(ended.map(({ ssrc }) => ssrc).sort()).toEqual([20, 21]);
    // Without a list the main stream is meant; zeros end it.
    table.onVideo(video({ videoSsrc: 40, rtxSsrc: 41 }), 0);
    expect(table.ownerOf(41)).toMatchObject({ kind: 'rtx', mainSsrc: 40 });
    table.onVideo(video({}), 0);
    expect(table.streamsOf('a').map(({ kind }) => kind)).toEqual(['audio']);
    expect(table.onUserLeft('a').ended.length).toBe(1);
  });

  it('is bounded, whatever is announced', () => {
    const table = createSsrcTable<{ ssrc: number }>();
    for (let n = 1; n < 5_000; n += 1) table.onSpeaking(`u${n}`, n, 0);
    expect(table.clear().ended.length).toBe(2_048);
    for (let n = 0; n < 100_000; n += 1) table.hold({ ssrc: n % 500 }, n / 100);
    expect(table.unknown).toBeGreaterThan(100_000 - 32 * 51);
  });
});

describe('figures', () => {
  it('loss and jitter are those of RFC 3550', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 65_535 }),
        fc.array(fc.record({ lost: fc.boolean(), delay: fc.integer({ min: 0, max: 40 }) }), {
          minLength: 2,
          maxLength: 100,
        }),
        (first, packets) => {
          const reception = createReception(48_000);
          let jitter = 0;
          let last: number | undefined;
          let received = 0;
          let lowest: number | undefined;
          let highest = 0;
          for (const [n, { lost, delay }] of packets.entries()) {
            if (lost) continue;
            const at = 5_000 + n * 20 + delay;
            reception.receive(
              { sequenceNumber: (first + n) & 0xffff, timestamp: (n * 960 + 4_294_960_000) >>> 0, bytes: 10 },
              at,
            );
            const transit = at * 48 - n * 960;
            if (last !== undefined) jitter += (Math.abs(transit - last) - jitter) / 16;
            last = transit;
            received += 1;
            lowest ??= n;
            highest = n;
          }
          if (lowest === undefined) {
            expect(reception.report(1, 0)).toBeUndefined();
            return;
          }
          const expected = highest - lowest + 1;
          expect(reception.lost).toBe(expected - received);
          expect(reception.jitterMs).toBeCloseTo(jitter / 48, 6);
          expect(reception.report(1, 9_000)).toMatchObject({
            packetsLost: expected - received,
            fractionLost: Math.floor(((expected - received) * 256) / expected),
            jitter: Math.round(jitter),
            lastSenderReport: 0,
          });
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });

  it('duplicates count against loss, intervals are apart, a stream that begins anew goes on', () => {
    const reception = createReception(90_000);
    const receive = (sequenceNumber: number): void => reception.receive({ sequenceNumber, timestamp: 0, bytes: 1 }, 0);
    for (const n of [65_534, 65_535, 0, 0, 3]) receive(n);
    expect(reception.report(1, 0)).toMatchObject({ packetsLost: 1, highestSequenceNumber: 65_536 + 3 });
    for (const n of [4, 5, 6, 8]) receive(n);
    expect(reception.report(1, 0)).toMatchObject({ fractionLost: Math.floor(256 / 5), packetsLost: 2 });
    for (const n of [30_000, 30_001]) receive(n);
    expect(reception.lost).toBe(2);
    expect(reception.packets).toBe(11);
  });

  it('round trip and the sender’s clock come from reports', () => {
    const reception = createReception(90_000);
    reception.receive({ sequenceNumber: 1, timestamp: 1_000, bytes: 1 }, 0);
    const ntp = (2_208_988_800n + 1_700_000_000n) << 32n;
    reception.onSenderReport(ntp, 1_000, 100);
    expect(reception.senderTimeOf(1_000 + 9_000)).toBeCloseTo(1_700_000_000_100, 3);
    const block = reception.report(7, 600) as NonNullable<ReturnType<typeof reception.report>>;
    expect(block.delaySinceLastSenderReport).toBe(32_768);
    // 0.5 s at the other side, 40 ms on the way.
    expect(roundTripOf(block, ntp + (540n << 32n) / 1_000n)).toBeCloseTo(40, 0);
    expect(roundTripOf({ ...block, lastSenderReport: 0 }, ntp)).toBeUndefined();
    expect(roundTripOf(block, ntp)).toBeUndefined();
  });

  it('a rate is that of the last two seconds', () => {
    const meter = createRateMeter();
    expect(meter.rate(0)).toBe(0);
    for (let at = 10_000; at < 20_000; at += 20) meter.add(160, at);
    expect(Math.abs(meter.rate(20_000) - 64_000)).toBeLessThan(3_000);
    expect(meter.rate(30_000)).toBe(0);
  });

  it('ticks do not drift, and what is missed is caught up within a bound', () => {
    const schedule = createTickSchedule({ intervalMs: 20, maxCatchUp: 5 }, 100);
    expect(schedule.take(99)).toBeUndefined();
    expect([schedule.take(100.4), schedule.take(119), schedule.take(121)]).toEqual([100, undefined, 120]);
    const late: number[] = [];
    for (let at = schedule.take(1_005); at !== undefined; at = schedule.take(1_005)) late.push(at);
    expect(late).toEqual([900, 920, 940, 960, 980, 1_000]);
    expect(schedule.missed).toBe(38);
  });
});

describe('bytes', () => {
  it('Opus packets are taken apart into frames (RFC 6716 section 3.2)', () => {
    const split = (...bytes: number[]): number[][] | undefined =>
      splitOpus(Uint8Array.from(bytes))?.map((part) => [...part]);
    expect(split(0xfc, 1, 2, 3)).toEqual([[0xfc, 1, 2, 3]]);
    expect(split(0xfd, 1, 2, 3, 4)).toEqual([
      [0xfc, 1, 2],
      [0xfc, 3, 4],
    ]);
    expect(split(0xfd, 1, 2, 3)).toBeUndefined();
    expect(split(0xfe, 1, 9, 8, 7)).toEqual([
      [0xfc, 9],
      [0xfc, 8, 7],
    ]);
    expect(split(0xfe, 9, 1)).toBeUndefined();
    expect(split(0xff, 0x03, 1, 2, 3)).toEqual([
      [0xfc, 1],
      [0xfc, 2],
      [0xfc, 3],
    ]);
    expect(split(0xff, 0x82, 1, 9, 8, 7)).toEqual([
      [0xfc, 9],
      [0xfc, 8, 7],
    ]);
    expect(split(0xff, 0x42, 2, 5, 6, 0, 0)).toEqual([
      [0xfc, 5],
      [0xfc, 6],
    ]);
    for (const bad of [[], [0xff], [0xff, 0], [0xff, 0x42, 200, 1], [0xff, 0x82, 252], [0xff, 0x03, 1, 2]])
      expect(split(...bad)).toBeUndefined();
    const large = Uint8Array.from([0xfe, 252, 12, ...Array.from({ length: 310 }, (_, n) => n & 0xff)]);
    expect(splitOpus(large)?.map(({ length }) => length)).toEqual([301, 11]);
  });

  it('keyframes tell their size', () => {
    const vp8 = Uint8Array.of(0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 0x42, 0x68, 0x81);
    expect(frameSizeOf('VP8', vp8)).toEqual({ width: 640, height: 360 });
    expect(isKeyframe('VP8', vp8)).toBe(true);
    expect(frameSizeOf('VP8', vp8.subarray(0, 9))).toBeUndefined();
    // Profile 0: frame marker 2, sync code, colour space 2, 1920 × 1080 less one.
    const vp9 = Uint8Array.of(0x82, 0x49, 0x83, 0x42, 0x40, 0x77, 0xf0, 0x43, 0x70);
    expect(frameSizeOf('VP9', vp9)).toEqual({ width: 1_920, height: 1_080 });
    expect(isKeyframe('VP9', vp9)).toBe(true);
    expect([isKeyframe('VP9', Uint8Array.of(0x86)), isKeyframe('VP9', Uint8Array.of(0x8a))]).toEqual([false, false]);
    expect(isKeyframe('H264', Uint8Array.of(0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 1))).toBe(true);
    expect(isKeyframe('H264', Uint8Array.of(0, 0, 0, 1, 0x61, 1))).toBe(false);
    expect(frameSizeOf('H264', vp8)).toBeUndefined();
  });
});
