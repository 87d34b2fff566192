import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { opus as opusFormat, type RtpPacketInit } from '@guildkit/rtp';
import { createVirtualClock, type VirtualClock } from '@guildkit/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import type { AudioSource, SendAudioOptions } from '../../src/media/audio-types.js';
import type { OpusCodec } from '../../src/media/codec/opus-codec.js';
import { createMediaEngine, type MediaEngine } from '../../src/media/media-engine.js';
import { opusPackets } from '../support/frames.js';
import { createLink, type Side } from '../support/media-link.js';

let clock: VirtualClock;
let side: Side;
let engine: MediaEngine;
let sent: { readonly at: number; readonly packet: RtpPacketInit }[];
let encoded: Int16Array[];

/** "Encodes" by remembering: a packet holds the number of its frame. */
const codec: OpusCodec = {
  name: 'test',
  createEncoder: ({ channels }) => ({
    channels,
    encode(pcm) {
      encoded.push(pcm.slice());
      const n = encoded.length - 1;
      return Uint8Array.of(channels === 2 ? 0xfc : 0xf8, n >> 8, n & 0xff);
    },
    setBitrate() {},
    setComplexity() {},
    reset() {},
    free() {},
  }),
  createDecoder: ({ channels }) => ({
    channels,
    decode: (packet) => new Int16Array(960 * channels).fill((packet[2] as number) * 100),
    conceal: (samples) => new Int16Array(samples * channels),
    reset() {},
    free() {},
  }),
};

beforeEach(() => {
  clock = createVirtualClock();
  side = createLink(clock)[0];
  sent = [];
  encoded = [];
  const { sendRtp } = side;
  side.sendRtp = (packet) => {
    sent.push({ at: clock.now(), packet });
    return sendRtp(packet);
  };
  engine = createMediaEngine({ transport: side, opusCodec: codec, random: () => 0.999 });
});

const isSilent = ({ packet }: { packet: RtpPacketInit }): boolean => opusFormat.isSilence(packet.payload);
const voice = () => sent.filter((one) => !isSilent(one));
/** Sends and waits until it is over. */
async function play(source: AudioSource, options?: SendAudioOptions): Promise<void> {
  const sender = engine.sendAudio(source, options);
  await clock.advance(3_000);
  await sender.finished;
}
const constant = (samples: number, value: number): Int16Array => new Int16Array(samples).fill(value);

describe('sendAudio', () => {
  it('sends a packet every 20 ms, numbers and times in step, five of silence at the end', async () => {
    await play(opusPackets(50));
    expect(sent.map(({ at }) => at)).toEqual(Array.from({ length: 55 }, (_, n) => (sent[0]?.at as number) + n * 20));
    for (const [n, { packet }] of sent.entries()) {
      expect(packet.sequenceNumber).toBe(((sent[0]?.packet.sequenceNumber as number) + n) & 0xffff);
      expect(packet.timestamp).toBe(((sent[0]?.packet.timestamp as number) + n * 960) >>> 0);
      expect(packet.marker ?? false).toBe(n === 0);
      expect(isSilent({ packet })).toBe(n >= 50);
    }
    expect(side.speaking).toEqual([1, 0]);
  });

  it('takes packets of any duration', async () => {
    // 60 ms, 10 ms, 2.5 ms (RFC 6716 table 2).
    const packets = [0x58, 0x58, 0xf0, 0xf0, 0xf0, 0xf0, 0xe0, 0xe0, 0xe0, 0xe0].map((toc) => Uint8Array.of(toc, 1, 2));
    await play(packets);
    const times = voice().map(({ packet }) => (packet.timestamp - (sent[0]?.packet.timestamp as number)) >>> 0);
    expect(times).toEqual([0, 2_880, 5_760, 6_240, 6_720, 7_200, 7_680, 7_800, 7_920, 8_040]);
    expect(voice().map(({ at }) => at - (sent[0]?.at as number))).toEqual([
      0, 60, 120, 120, 140, 140, 160, 160, 160, 160,
    ]);
  });

  it.each<[string, () => AudioSource]>([
    ['an array', () => opusPackets(30)],
    ['an iterator', () => opusPackets(30).values()],
    ['{ opus }', () => ({ opus: opusPackets(30) })],
    [
      'an async generator',
      async function* () {
        yield* opusPackets(30);
      },
    ],
    ['a Node stream', () => Readable.from(opusPackets(30))],
    ['a web stream', () => new ReadableStream({ pull: pullOf(opusPackets(30)) })],
    ['a web stream that is not iterable', () => withoutIterator(new ReadableStream({ pull: pullOf(opusPackets(30)) }))],
    ['a source to be opened', () => ({ open: async () => ({ opus: opusPackets(30) }) })],
  ])('takes Opus from %s', async (_name, source) => {
    const sender = engine.sendAudio(source());
    // Node's streams want turns of the real event loop, too.
    for (let n = 0; n < 200 && sender.state !== 'ended'; n += 1) {
      await clock.advance(20);
      await new Promise(setImmediate);
    }
    await sender.finished;
    expect(voice().map(({ packet }) => packet.payload)).toEqual(opusPackets(30));
  });

  it('takes PCM of any kind: bits, floats, bytes cut anywhere, mono and stereo', async () => {
    const pcm = Int16Array.from({ length: 960 * 2 * 3 }, (_, n) => (n % 1_000) * 30);
    await play({ pcm, sampleRate: 48_000, channels: 2 });
    expect(encoded.flatMap((frame) => [...frame])).toEqual([...pcm]);
    encoded = [];
    await play({ pcm: [Float32Array.from(pcm, (sample) => sample / 32_768)], sampleRate: 48_000, channels: 2 });
    expect(encoded.flatMap((frame) => [...frame])).toEqual([...pcm]);
    encoded = [];
    const bytes = new Uint8Array(pcm.buffer);
    const pieces = Array.from({ length: Math.ceil(bytes.length / 701) }, (_, n) =>
      bytes.subarray(n * 701, (n + 1) * 701),
    );
    await play({ pcm: pieces, sampleRate: 48_000, channels: 2, format: 's16le' });
    expect(encoded.flatMap((frame) => [...frame])).toEqual([...pcm]);
    encoded = [];
    await play({ pcm: constant(1_000, 5), sampleRate: 48_000, channels: 1 });
    // Mono stays mono; the last frame is filled up.
    expect(encoded.map((frame) => frame.length)).toEqual([960, 960]);
    expect([...(encoded[1] as Int16Array)].filter((sample) => sample === 5).length).toBe(40);
    encoded = [];
    await play({ pcm: constant(44_100, 1_000), sampleRate: 44_100, channels: 1 });
    expect(encoded.length).toBe(50);
    expect(encoded[25]?.every((sample) => Math.abs(sample - 1_000) <= 1)).toBe(true);
  });

  it('pulls no more than it needs, and nothing while paused or without a session', async () => {
    let pulled = 0;
    function* endless(): Generator<Uint8Array> {
      for (;;) {
        pulled += 1;
        yield opusPackets(1)[0] as Uint8Array;
      }
    }
    const sender = engine.sendAudio(endless());
    await clock.advance(1_000);
    expect(pulled - voice().length).toBeLessThanOrEqual(6);
    sender.pause();
    await clock.advance(200);
    const before = pulled;
    const count = voice().length;
    expect(sender.state).toBe('paused');
    await clock.advance(5_000);
    expect(pulled).toBe(before);
    expect(voice().length).toBe(count);
    expect(side.speaking).toEqual([1, 0]);
    expect(clock.pending).toBeLessThanOrEqual(1);
    sender.resume();
    await clock.advance(1_000);
    expect(voice().length).toBeGreaterThan(count + 45);
    // A talk of its own, in time with the pause.
    const first = voice()[count] as (typeof sent)[number];
    const last = voice()[count - 1] as (typeof sent)[number];
    expect(first.packet.marker).toBe(true);
    expect(Math.abs(((first.packet.timestamp - last.packet.timestamp) >>> 0) / 48 - (first.at - last.at))).toBeLessThan(
      1,
    );
    const { session } = side;
    side.setSession(undefined);
    const gone = pulled;
    await clock.advance(5_000);
    expect(pulled).toBe(gone);
    side.setSession(session);
    await clock.advance(1_000);
    expect(pulled).toBeGreaterThan(gone + 40);
    sender.stop();
    await sender.finished;
    expect(sender.state).toBe('ended');
  });

  it('queues, and goes from one to the next without a pause', async () => {
    const first = engine.sendAudio(opusPackets(20, 50));
    const second = engine.sendAudio(opusPackets(20, 60));
    expect([first.state, second.state]).toEqual(['sending', 'waiting']);
    let firstEnd = 0;
    void first.finished.then(() => {
      firstEnd = clock.now();
    });
    await clock.advance(2_000);
    await second.finished;
    expect(sent.map(({ packet }) => packet.payload.length)).toEqual([
      ...Array.from({ length: 20 }, () => 50),
      ...Array.from({ length: 20 }, () => 60),
      ...Array.from({ length: 5 }, () => 3),
    ]);
    expect((sent[40]?.at as number) - (sent[0]?.at as number)).toBe(800);
    expect(firstEnd).toBeLessThan(clock.now() - 1_000);
  });

  it('mixes, at each one its own volume, which may change', async () => {
    const low = engine.sendAudio({ pcm: constant(960 * 50, 1_000), sampleRate: 48_000, channels: 1 });
    const high = engine.sendAudio(
      { pcm: constant(960 * 2 * 25, 4_000), sampleRate: 48_000, channels: 2 },
      { whenBusy: 'mix', volume: 0.5 },
    );
    await clock.advance(510);
    low.volume = 2;
    await clock.advance(2_000);
    await Promise.all([low.finished, high.finished]);
    const middles = encoded.map((frame) => frame[100]);
    expect(middles.slice(2, 20)).toEqual(Array.from({ length: 18 }, () => 3_000));
    expect(middles.slice(30, 48)).toEqual(Array.from({ length: 18 }, () => 2_000));
    // Alone again, mono is mono.
    expect(encoded[40]?.length).toBe(960);
    expect(() => {
      low.volume = 5;
    }).toThrow(/from 0 to 4/);
  });

  it('mixes Opus with PCM by decoding it, and decodes it for a volume', async () => {
    const packets = Array.from({ length: 20 }, () => Uint8Array.of(0xfc, 0, 7));
    engine.sendAudio(packets);
    const other = engine.sendAudio(
      { pcm: constant(960 * 20, 50), sampleRate: 48_000, channels: 1 },
      { whenBusy: 'mix' },
    );
    await clock.advance(2_000);
    await other.finished;
    expect(encoded.filter((frame) => frame[100] === 750).length).toBeGreaterThan(15);
    encoded = [];
    await play(packets, { volume: 0.5 });
    expect(encoded.map((frame) => frame[100])).toEqual(Array.from({ length: 20 }, () => 350));
  });

  it('replaces what plays', async () => {
    const first = engine.sendAudio(opusPackets(100));
    const waiting = engine.sendAudio(opusPackets(100));
    await clock.advance(200);
    const second = engine.sendAudio(opusPackets(10, 33), {
      whenBusy: 'replace',
      speaking: 'soundshare',
      priority: true,
    });
    await expect(first.finished).rejects.toMatchObject({ code: 'ERR_RTC_SEND_ABORTED' });
    await expect(waiting.finished).rejects.toMatchObject({ code: 'ERR_RTC_SEND_ABORTED' });
    await clock.advance(1_000);
    await second.finished;
    expect(sent.filter(({ packet }) => packet.payload.length === 33).length).toBe(10);
    expect(side.speaking).toEqual([1, 6, 0]);
  });

  it('ends by signal, before and while it plays, and when the client leaves', async () => {
    const signal = AbortSignal.abort(new Error('no'));
    await expect(engine.sendAudio(opusPackets(1), { signal }).finished).rejects.toMatchObject({
      code: 'ERR_RTC_SEND_ABORTED',
    });
    const controller = new AbortController();
    let closed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield* opusPackets(10);
      } finally {
        closed = true;
      }
    }
    const sender = engine.sendAudio(source(), { signal: controller.signal });
    await clock.advance(300);
    controller.abort();
    await expect(sender.finished).rejects.toMatchObject({ code: 'ERR_RTC_SEND_ABORTED' });
    await clock.advance(300);
    expect(closed).toBe(true);
    expect(sent.slice(-5).every(isSilent)).toBe(true);
    const left = engine.sendAudio(opusPackets(100));
    engine.abortSenders('the client was disconnected');
    await expect(left.finished).rejects.toThrow(/disconnected/);
  });

  it('goes silent while a source has nothing, and goes on when it has', async () => {
    async function* halting(): AsyncGenerator<Uint8Array> {
      yield* opusPackets(10);
      await new Promise((resolve) => clock.setTimer(() => resolve(undefined), 1_000));
      yield* opusPackets(10);
    }
    const sender = engine.sendAudio(halting());
    await clock.advance(3_000);
    await sender.finished;
    expect(sent.map((one) => (isSilent(one) ? 's' : 'v')).join('')).toBe(
      `${'v'.repeat(10)}sssss${'v'.repeat(10)}sssss`,
    );
    expect(side.speaking).toEqual([1, 0, 1, 0]);
  });

  it('catches up a little after standing still, and leaves out the rest', async () => {
    const sender = engine.sendAudio(opusPackets(100));
    await clock.advance(200);
    const before = sent.length;
    // The process stands still: timers fire late, all at once.
    const { now } = clock;
    clock.now = () => now() + 1_000;
    await clock.advance(20);
    expect(sent.length - before).toBeLessThanOrEqual(6);
    sender.stop();
  });

  it('says what is wrong with a source', async () => {
    for (const source of [
      undefined,
      null,
      5,
      'a.ogg',
      {},
      new Int16Array(10),
      { pcm: 5 },
      { opus: 7 },
      { pcm: [], sampleRate: 48_000, channels: 3 },
      { pcm: [], sampleRate: 1, channels: 1 },
    ]) {
      expect(() => engine.sendAudio(source as never)).toThrow(
        expect.objectContaining({ code: 'ERR_RTC_SOURCE_INVALID' }),
      );
    }
    expect(() => engine.sendAudio([], { volume: 9 })).toThrow(TypeError);
    expect(() => engine.sendAudio([], { loud: true } as never)).toThrow(/unknown option/);
    const wrong = engine.sendAudio([new Uint8Array(0)]);
    const failing = engine.sendAudio({
      open: async () => {
        throw new Error('no such file');
      },
    });
    await clock.advance(200);
    await expect(wrong.finished).rejects.toMatchObject({ code: 'ERR_RTC_SOURCE_INVALID' });
    await expect(failing.finished).rejects.toMatchObject({
      code: 'ERR_RTC_SOURCE_FAILED',
      cause: new Error('no such file'),
    });
    await play([]);
    expect(sent.length).toBe(0);
  });

  it('drops what must not be sent now, without losing its place in time', async () => {
    let allowed = true;
    side.encryptFrame = (_codec, frame) => (allowed ? frame : undefined);
    const sender = engine.sendAudio(opusPackets(30));
    await clock.advance(205);
    allowed = false;
    await clock.advance(100);
    allowed = true;
    await clock.advance(1_000);
    await sender.finished;
    expect(voice().length).toBe(25);
    expect(engine.stats().outbound[0]).toMatchObject({ droppedFrames: 5, kind: 'audio' });
    const span = ((voice().at(-1)?.packet.timestamp as number) - (voice()[0]?.packet.timestamp as number)) >>> 0;
    expect(span).toBe(29 * 960);
  });

  it('sends what waits as soon as there is a session, then every 20 ms', async () => {
    const { session } = side;
    side.setSession(undefined);
    engine.sendAudio(opusPackets(3));
    await clock.advance(47);
    expect(sent).toEqual([]);
    side.setSession(session);
    await clock.advance(60);
    expect(voice().map(({ at }) => at)).toEqual([47, 67, 87]);
  });

  it('tells the level of PCM where it is asked for (RFC 6464)', async () => {
    Object.assign(side.headerExtensions, { audioLevel: 1 });
    await play({ pcm: constant(960 * 5, 32_767), sampleRate: 48_000, channels: 1 });
    // Element 1 of one byte: voice, full scale.
    expect([...(sent[1]?.packet.extension?.data ?? [])].slice(0, 2)).toEqual([0x10, 0x80]);
  });
});

function pullOf(packets: Uint8Array[]) {
  return (controller: { enqueue(chunk: Uint8Array): void; close(): void }): void => {
    const packet = packets.shift();
    if (packet === undefined) controller.close();
    else controller.enqueue(packet);
  };
}

const withoutIterator = (stream: ReadableStream<Uint8Array>): AudioSource =>
  ({ getReader: () => stream.getReader() }) as AudioSource;
