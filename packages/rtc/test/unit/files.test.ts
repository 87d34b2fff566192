import { readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  opusFromFile,
  recordIvf,
  recordOgg,
  recordWav,
  recordWebm,
  videoFromFile,
  wavFromFile,
} from '@guildkit/rtc/files';
import { opus as opusFormat } from '@guildkit/rtp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createIvfParser } from '../../src/files/protocol/ivf.js';
import { createOggMuxer } from '../../src/files/protocol/ogg.js';
import { createWavParser } from '../../src/files/protocol/wav.js';
import type { ReceivedAudio } from '../../src/media/audio-types.js';
import type { ReceivedVideo, VideoFrame } from '../../src/media/video-types.js';
import { opusPackets, vp8Frames } from '../support/frames.js';
import { dice } from '../support/media-link.js';

/** Files that the process has open, where the system tells. */
const fds = (): number => {
  try {
    return readdirSync('/proc/self/fd').filter((fd) => readlink(fd).includes('guildkit-files-')).length;
  } catch {
    return 0;
  }
};
const readlink = (fd: string): string => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guildkit-files-'));
});
afterAll(() => rm(folder, { recursive: true }));

const never = new AbortController().signal;
const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
};

function received(opus: Uint8Array | undefined, n: number, extra: Partial<ReceivedAudio> = {}): ReceivedAudio {
  return {
    userId: 'u',
    ssrc: 1,
    kind: opus === undefined ? 'concealed' : 'packet',
    opus,
    pcm: undefined,
    channels: 2,
    samples: 960,
    talkStart: n === 0,
    timestamp: (4_294_960_000 + n * 960) >>> 0,
    rtp:
      opus === undefined
        ? undefined
        : { sequenceNumber: n, marker: false, csrcs: [], extension: undefined, arrivedAt: 1_000 + n * 20 },
    ...extra,
  };
}

const shown = ({ data, keyframe, timestamp }: VideoFrame): ReceivedVideo => ({
  userId: 'u',
  ssrc: 2,
  rid: '',
  codec: 'VP8',
  data,
  keyframe,
  timestamp: 0,
  timestampUs: timestamp,
  senderTime: undefined,
  discontinuity: false,
  arrivedAt: 1_000 + timestamp / 1_000,
});

describe('Ogg', () => {
  it('holds recorded packets, read back by another implementation, with losses and pauses', async () => {
    const path = join(folder, 'a.ogg');
    const recorder = recordOgg(path);
    const packets = opusPackets(120, 200);
    for (const [n, packet] of packets.entries()) {
      if (n === 50) recorder.write(received(undefined, n));
      // A pause of ten frames.
      else recorder.write(received(packet, n < 60 ? n : n + 10, { talkStart: n === 0 || n === 60 }));
    }
    expect(recorder.durationMs).toBe(130 * 20);
    await Promise.all([recorder.close(), recorder.close()]);
    const { opus } = await opusFromFile(path).open(never);
    const read = await all(opus as AsyncIterable<Uint8Array>);
    const expected = packets.map((packet, n) => (n === 50 ? Uint8Array.of(0xfc) : packet));
    expected.splice(60, 0, ...Array.from({ length: 10 }, () => opusFormat.silence));
    expect(read).toEqual(expected);
    // The same from memory.
    const bytes = await opusFromFile(await readFile(path)).open(never);
    expect((await all(bytes.opus as AsyncIterable<Uint8Array>)).length).toBe(130);
  });

  it('splits packets over pages, of any length', async () => {
    const random = dice(9);
    const muxer = createOggMuxer({ channels: 1, serial: 0xdead_beef, preSkip: 0 });
    const packets = Array.from({ length: 80 }, (_, n) => {
      const packet = new Uint8Array(n % 9 === 0 ? 255 * (1 + (n % 4)) : 1 + Math.floor(random() * 1_275)).fill(n);
      packet[0] = 0xf8;
      return packet;
    });
    const file = Buffer.concat([muxer.header(), ...packets.map((packet) => muxer.write(packet, 960)), muxer.end()]);
    const { opus } = await opusFromFile(file).open(never);
    expect(await all(opus as AsyncIterable<Uint8Array>)).toEqual(packets);
  });
});

describe('WAV', () => {
  it('is written and read: samples come back the same', async () => {
    const path = join(folder, 'a.wav');
    const recorder = recordWav(path);
    const pcm = Int16Array.from({ length: 1_920 }, (_, n) => ((n * 7_919) % 65_536) - 32_768);
    recorder.write(received(undefined, 0, { pcm }));
    recorder.write(received(undefined, 3, { pcm, talkStart: true }));
    await recorder.close();
    const source = await wavFromFile(path).open(never);
    expect(source).toMatchObject({ sampleRate: 48_000, channels: 2 });
    const read = (await all(source.pcm as AsyncIterable<Float32Array>)).flatMap((piece) => [...piece]);
    const first = Array.from(pcm, (sample) => sample / 32_768);
    expect(read).toEqual([...first, ...new Array(2 * 1_920).fill(0), ...first]);
  });

  it.each([
    [24, 1, [0x00, 0x00, 0x80, 0xff, 0xff, 0x7f, 0x00, 0x00, 0x40], [-1, 0.99999988, 0.5]],
    [32, 1, [0, 0, 0, 0x80, 0, 0, 0, 0x40], [-1, 0.5]],
    [32, 3, [0, 0, 0, 0x3f, 0, 0, 0x80, 0xbf], [0.5, -1]],
  ])('reads %i bits of kind %i, cut anywhere, behind other chunks', (bits, kind, data, want) => {
    const file = wav({ bits, kind, data, junk: 5 });
    for (const size of [1, 7, 1_000]) {
      const parser = createWavParser();
      const samples: number[] = [];
      for (let at = 0; at < file.length; at += size) {
        const result = parser.push(file.subarray(at, at + size));
        if (!result.ok) throw new Error(result.problem);
        samples.push(...result.samples);
      }
      expect(samples.map((value) => Number(value.toFixed(6)))).toEqual(want.map((value) => Number(value.toFixed(6))));
    }
  });

  it('says what is wrong with a file', async () => {
    for (const [file, why] of [
      [new Uint8Array(100), /RIFF/],
      [wav({ bits: 8, kind: 1, data: [1] }), /8 bits/],
      [wav({ bits: 16, kind: 1, data: [1, 2, 3, 4, 5, 6], channels: 3 }), /3 channels/],
      [wav({ bits: 16, kind: 1, data: [] }), /ends before/],
    ] as const) {
      await expect(wavFromFile(file).open(never)).rejects.toThrow(why);
      await expect(wavFromFile(file).open(never)).rejects.toMatchObject({ code: 'ERR_RTC_FILE_UNSUPPORTED' });
    }
    await expect(wavFromFile(join(folder, 'none.wav')).open(never)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('IVF', () => {
  it('is written and read, whole and byte by byte', async () => {
    const path = join(folder, 'a.ivf');
    const recorder = recordIvf(path);
    const frames = vp8Frames(40, 10);
    // Begins with a keyframe.
    for (const frame of frames.slice(5)) recorder.write(shown(frame));
    expect(recorder.frames).toBe(30);
    await recorder.close();
    const track = await videoFromFile(path).open(never);
    expect(track).toMatchObject({ codec: 'VP8', width: 640, height: 360 });
    const read = (await all(track.frames as AsyncIterable<VideoFrame>)) as VideoFrame[];
    expect(read.map(({ data, keyframe }) => ({ data, keyframe }))).toEqual(
      frames.slice(10).map(({ data, keyframe }) => ({ data, keyframe })),
    );
    expect(Math.abs((read[3]?.timestamp ?? 0) - (frames[13]?.timestamp ?? 0))).toBeLessThan(12);
    const parser = createIvfParser();
    let count = 0;
    for (const byte of (await readFile(path)).subarray(0, 20_000)) {
      const result = parser.push(Uint8Array.of(byte));
      if (result.ok) count += result.frames.length;
    }
    expect(count).toBeGreaterThan(2);
  });

  it('refuses what is none', async () => {
    const file = await readFile(join(folder, 'a.ivf'));
    for (const [at, byte] of [
      [8, 0x41],
      [6, 9],
    ] as const) {
      const broken = Uint8Array.from(file);
      broken[at] = byte;
      await expect(videoFromFile(broken).open(never)).rejects.toMatchObject({ code: 'ERR_RTC_FILE_UNSUPPORTED' });
    }
    const huge = Uint8Array.from(file.subarray(0, 60)).fill(0xff, 32, 36);
    await expect(videoFromFile(huge).open(never)).rejects.toThrow(/4294967295/);
    await expect(videoFromFile(file.subarray(0, 20)).open(never)).rejects.toThrow(/before its first frame/);
  });
});

describe('WebM', () => {
  it('holds video and sound, and gives both back', async () => {
    const path = join(folder, 'a.webm');
    const recorder = await recordWebm(path, { video: 'VP8' });
    const frames = vp8Frames(30, 10);
    const packets = opusPackets(50);
    let shownFrames = 0;
    for (const [n, packet] of packets.entries()) {
      recorder.writeAudio(received(packet, n));
      const until = n * 20_000;
      while (frames[shownFrames] !== undefined && (frames[shownFrames] as VideoFrame).timestamp <= until) {
        recorder.write(shown(frames[shownFrames] as VideoFrame));
        shownFrames += 1;
      }
    }
    await recorder.close();
    const track = await videoFromFile(path).open(never);
    expect(track).toMatchObject({ codec: 'VP8', width: 640, height: 360 });
    const read = await all(track.frames as AsyncIterable<VideoFrame>);
    // Compared as texts: a difference of thousands of numbers takes long to print.
    const text = ({ data }: VideoFrame): string => Buffer.from(data).toString('base64');
    expect(read.map(text)).toEqual(frames.map(text));
    const { opus } = await opusFromFile(path).open(never);
    expect(await all(opus as AsyncIterable<Uint8Array>)).toEqual(packets);
    // A source that is not read to its end lets go of the file.
    const iterator = ((await opusFromFile(path).open(never)).opus as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.return?.();
    const before = fds();
    for (const open of [opusFromFile(path), wavFromFile(join(folder, 'a.wav'))]) {
      const source = await open.open(never);
      const items = ('opus' in source ? source.opus : source.pcm) as AsyncIterable<unknown>;
      await items[Symbol.asyncIterator]().return?.();
    }
    for (const file of [path, join(folder, 'a.ivf')]) {
      const { frames: unread } = await videoFromFile(file).open(never);
      await (unread as AsyncIterable<VideoFrame>)[Symbol.asyncIterator]().return?.();
    }
    await vi.waitFor(() => expect(fds()).toBeLessThanOrEqual(before));
  });

  it('says when there is nothing to be used', async () => {
    const path = join(folder, 'noise.bin');
    await writeFile(path, Buffer.alloc(500, 7));
    await expect(opusFromFile(path).open(never)).rejects.toMatchObject({ code: 'ERR_RTC_FILE_UNSUPPORTED' });
    await expect(videoFromFile(path).open(never)).rejects.toMatchObject({ code: 'ERR_RTC_FILE_UNSUPPORTED' });
    await expect(opusFromFile(join(folder, 'a.wav')).open(never)).rejects.toThrow(/pcm-s16 audio/);
    await expect(recordOgg(join(folder, 'no', 'such.ogg')).close()).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

/** A WAV file of given bytes. */
function wav({
  bits,
  kind,
  data,
  junk = 0,
  channels = 1,
}: {
  bits: number;
  kind: number;
  data: readonly number[];
  junk?: number;
  channels?: number;
}): Uint8Array {
  const chunk = (name: string, body: Uint8Array): Buffer => {
    const head = Buffer.alloc(8);
    head.write(name, 'latin1');
    head.writeUInt32LE(body.length, 4);
    return Buffer.concat([head, body, Buffer.alloc(body.length & 1)]);
  };
  const format = Buffer.alloc(16);
  format.writeUInt16LE(kind, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(44_100, 4);
  format.writeUInt16LE(bits, 14);
  const chunks = [
    chunk('fmt ', format),
    ...(junk > 0 ? [chunk('LIST', Buffer.alloc(junk))] : []),
    chunk('data', Uint8Array.from(data)),
  ];
  return chunk('RIFF', Buffer.concat([Buffer.from('WAVE'), ...chunks]));
}
