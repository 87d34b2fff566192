/** What comes out of a bad network is decoded by Chromium: every frame that is handed out, without one error. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordOgg, recordWebm } from '@guildkit/rtc/files';
import { CHROMIUM_FLAGS, chromiumPath, createVirtualClock, HOW_TO_GET_CHROMIUM } from '@guildkit/testkit';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReceivedAudio } from '../../src/media/audio-types.js';
import { loadOpus } from '../../src/media/codec/opus-wasm.js';
import { createMediaEngine } from '../../src/media/media-engine.js';
import type { ReceivedVideo, VideoFrame } from '../../src/media/video-types.js';
import type { VideoCodec } from '../../src/protocol/voice-codecs.js';
import { createLink, type Weather } from '../support/media-link.js';

const executablePath = chromiumPath();
if (executablePath === undefined && process.env.CI === 'true') throw new Error(HOW_TO_GET_CHROMIUM);
if (executablePath === undefined) console.warn(`Skipped: decoding of received video. ${HOW_TO_GET_CHROMIUM}`);

const CODECS = { VP8: 'vp8', VP9: 'vp09.00.10.08', H264: 'avc1.42E01F' } as const;
const FRAMES = 60;

interface Chunk {
  readonly data: string;
  readonly keyframe: boolean;
  readonly timestamp: number;
}

/** Runs in the page: a picture that moves, encoded. */
async function encode({ codec, frames }: { codec: string; frames: number }): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  const text = (bytes: Uint8Array): string => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  const encoder = new VideoEncoder({
    output: (chunk) => {
      const data = new Uint8Array(chunk.byteLength);
      chunk.copyTo(data);
      chunks.push({ data: text(data), keyframe: chunk.type === 'key', timestamp: chunk.timestamp });
    },
    error: (error) => {
      throw error;
    },
  });
  const isH264 = codec.startsWith('avc1');
  encoder.configure({
    codec,
    width: 320,
    height: 192,
    bitrate: 1_500_000,
    framerate: 30,
    latencyMode: 'realtime',
    ...(isH264 && { avc: { format: 'annexb' as const } }),
  });
  const canvas = new OffscreenCanvas(320, 192);
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  for (let n = 0; n < frames; n += 1) {
    // Noise beside a moving shape: frames of several packets.
    const image = context.createImageData(320, 192);
    let state = n + 1;
    for (let at = 0; at < image.data.length; at += 4) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      image.data[at] = (at / 4) % 320 < 100 ? state >>> 24 : (n * 4) % 256;
      image.data[at + 1] = (at / 1_280) % 256;
      image.data[at + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    const frame = new VideoFrame(canvas, { timestamp: Math.round((n * 1_000_000) / 30) });
    encoder.encode(frame, { keyFrame: n % 15 === 0 });
    frame.close();
  }
  await encoder.flush();
  encoder.close();
  return chunks;
}

/** Runs in the page. */
async function decode({
  codec,
  chunks,
}: {
  codec: string;
  chunks: Chunk[];
}): Promise<{ shown: number; errors: string[] }> {
  let shown = 0;
  const errors: string[] = [];
  const decoder = new VideoDecoder({
    output: (frame) => {
      if (frame.codedWidth < 320) errors.push(`a frame ${frame.codedWidth} wide`);
      shown += 1;
      frame.close();
    },
    error: (error) => errors.push(error.message),
  });
  decoder.configure({ codec, optimizeForLatency: true });
  for (const { data, keyframe, timestamp } of chunks) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    decoder.decode(new EncodedVideoChunk({ type: keyframe ? 'key' : 'delta', timestamp, data: bytes }));
  }
  try {
    await decoder.flush();
  } catch (error) {
    errors.push(String(error));
  }
  return { shown, errors };
}

describe.skipIf(executablePath === undefined)('received video in Chromium', () => {
  let browser: Browser;
  let server: Server;
  let page: Page;

  beforeAll(async () => {
    // WebCodecs want a secure context, which a page of 127.0.0.1 is.
    server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    browser = await chromium.launch({ executablePath: executablePath as string, args: CHROMIUM_FLAGS });
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  async function carry(codec: VideoCodec, frames: readonly VideoFrame[], weather: Weather): Promise<ReceivedVideo[]> {
    const clock = createVirtualClock();
    const [left, right] = createLink(clock, { ...weather, videoCodec: codec });
    const sender = createMediaEngine({ transport: left });
    const receiver = createMediaEngine({ transport: right });
    const received: ReceivedVideo[] = [];
    receiver.onVideo((frame) => received.push(frame));
    const video = sender.sendVideo({ codec, frames });
    await clock.advance(4_000);
    await video.finished;
    sender.close();
    receiver.close();
    return received;
  }

  it.each(Object.keys(CODECS) as VideoCodec[])('decodes %s, whole and after losses', async (codec) => {
    const chunks = await page.evaluate(encode, { codec: CODECS[codec], frames: FRAMES });
    const frames = chunks.map(({ data, keyframe, timestamp }) => ({
      data: Uint8Array.from(Buffer.from(data, 'base64')),
      keyframe,
      timestamp,
    }));
    expect(frames.length).toBe(FRAMES);
    expect(Math.max(...frames.map(({ data }) => data.length))).toBeGreaterThan(3_000);
    const text = (list: readonly { readonly data: Uint8Array }[]): string[] =>
      list.map(({ data }) => Buffer.from(data).toString('base64'));

    const whole = await carry(codec, frames, {});
    expect(text(whole)).toEqual(text(frames));

    // Bad enough that retransmissions are lost, too.
    for (const weather of [
      { loss: 0.05, jitterMs: 60, seed: 1 },
      { loss: 0.4, jitterMs: 20, seed: 2 },
    ]) {
      const received = await carry(codec, frames, weather);
      expect(received.length).toBeGreaterThan(weather.loss > 0.1 ? 5 : 40);
      const list = received.map(({ data, keyframe, timestampUs }) => ({
        data: Buffer.from(data).toString('base64'),
        keyframe,
        timestamp: timestampUs,
      }));
      expect(await page.evaluate(decode, { codec: CODECS[codec], chunks: list })).toEqual({
        shown: received.length,
        errors: [],
      });
    }
  });

  it('plays recordings of Opus, in Ogg and in WebM', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'guildkit-recordings-'));
    const ogg = recordOgg(join(folder, 'a.ogg'));
    const webm = await recordWebm(join(folder, 'a.webm'));
    const encoder = (await loadOpus()).createEncoder({ channels: 2 });
    for (let n = 0; n < 100; n += 1) {
      const pcm = Int16Array.from({ length: 1_920 }, (_, at) => 8_000 * Math.sin((n * 960 + (at >> 1)) / 20));
      const frame: ReceivedAudio = {
        userId: 'u',
        ssrc: 1,
        // One is lost, and concealed by who plays it.
        kind: n === 50 ? 'concealed' : 'packet',
        opus: n === 50 ? undefined : encoder.encode(pcm),
        pcm: undefined,
        channels: 2,
        samples: 960,
        talkStart: n === 0,
        timestamp: n * 960,
        rtp: { sequenceNumber: n, marker: false, csrcs: [], extension: undefined, arrivedAt: n * 20 },
      };
      ogg.write(frame);
      webm.writeAudio(frame);
    }
    encoder.free();
    await Promise.all([ogg.close(), webm.close()]);
    for (const name of ['a.ogg', 'a.webm']) {
      const file = (await readFile(join(folder, name))).toString('base64');
      const played = await page.evaluate(async (data) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const sound = await new OfflineAudioContext(2, 48_000, 48_000).decodeAudioData(bytes.buffer);
        const samples = sound.getChannelData(1);
        const level = Math.sqrt(samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length);
        return { seconds: sound.duration, level };
      }, file);
      expect(Math.abs(played.seconds - 2)).toBeLessThan(0.05);
      expect(Math.abs(played.level - 8_000 / 32_768 / Math.SQRT2)).toBeLessThan(0.03);
    }
    await rm(folder, { recursive: true });
  });
});
