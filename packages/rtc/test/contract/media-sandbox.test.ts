/**
 * Stereo Opus and VP8 of 640×360 between two clients in a channel of the sandbox, encrypted end to end: in every mode of
 * transport, over a bad network, and while members come and go. GUILDKIT_SOAK_SECONDS sets how long each.
 */
import { DiscordRtcClient, ENCRYPTION_MODES, type ReceivedVideo } from '@guildkit/rtc';
import { createSandbox, type Sandbox, type SandboxOptions } from '@guildkit/sandbox';
import { beforeAll, describe, expect, type TestContext, test, vi } from 'vitest';
import { loadOpus } from '../../src/media/codec/opus-wasm.js';
import { vp8Frames } from '../support/frames.js';
import { connectSignalling } from '../support/sandbox-signalling.js';

const SECONDS = Number(process.env.GUILDKIT_SOAK_SECONDS ?? 3);
const TIMEOUT_MS = 60_000 + SECONDS * 3_000;

/** A tone, other on each side, as 20 ms packets of real Opus. */
let voice: Uint8Array[];
beforeAll(async () => {
  const encoder = (await loadOpus()).createEncoder({ channels: 2, bitrate: 96_000 });
  voice = Array.from({ length: SECONDS * 50 }, (_, frame) => {
    const pcm = Int16Array.from({ length: 1_920 }, (_, n) => {
      const time = (frame * 960 + (n >> 1)) / 48_000;
      return 8_000 * Math.sin(2 * Math.PI * (n % 2 === 0 ? 440 : 660) * time * (1 + frame / 500));
    });
    return encoder.encode(pcm);
  });
  encoder.free();
});

interface Seat {
  readonly rtc: DiscordRtcClient;
  readonly userId: string;
  leave(): Promise<void>;
}

/** Concurrent tests clean up by their own context. */
type Cleanup = TestContext['onTestFinished'];

async function seat(onTestFinished: Cleanup, sandbox: Sandbox, token?: string): Promise<Seat> {
  const signalling = await connectSignalling(sandbox, token);
  const rtc = new DiscordRtcClient({ signalling, guildId: sandbox.guildId });
  const leave = async (): Promise<void> => {
    await rtc[Symbol.asyncDispose]();
    signalling.close();
  };
  onTestFinished(leave);
  await rtc.connect(sandbox.voiceChannelId);
  return { rtc, userId: signalling.userId, leave };
}

async function pair(
  onTestFinished: Cleanup,
  options: SandboxOptions = {},
): Promise<{ sandbox: Sandbox; from: Seat; to: Seat }> {
  const sandbox = await createSandbox({ seed: 3, ...options });
  onTestFinished(() => sandbox.close());
  const from = await seat(onTestFinished, sandbox);
  const to = await seat(onTestFinished, sandbox, (await sandbox.bots.create({ name: 'second' })).token);
  await until(() => {
    expect(to.rtc.encryption).toMatchObject({ activity: 'active' });
    expect(from.rtc.encryption).toEqual(to.rtc.encryption);
  });
  return { sandbox, from, to };
}

/** A condition; the bound is for machines that have much else to do. */
const until = (holds: () => void): Promise<void> => vi.waitFor(holds, { timeout: 20_000, interval: 20 });

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Listens to and watches someone. */
function follow({ rtc }: Seat, userId: string) {
  const heard: string[] = [];
  const seen: ReceivedVideo[] = [];
  const kinds = { packet: 0, concealed: 0, silence: 0 };
  rtc.onAudio(
    ({ kind, opus }) => {
      kinds[kind] += 1;
      // Silence ends what is sent.
      if (opus !== undefined && opus.length > 3) heard.push(text(opus));
    },
    { userId },
  );
  rtc.onVideo((frame) => seen.push(frame), { userId });
  return { heard, seen, kinds };
}

/** An encoder's frames: a keyframe every two seconds, or where one is asked for. */
function camera() {
  const all = vp8Frames(SECONDS * 30, 60);
  const key = vp8Frames(1)[0] as (typeof all)[number];
  const sent: Uint8Array[] = [];
  let asked = 0;
  let isAsked = false;
  return {
    sent,
    get asked() {
      return asked;
    },
    ask() {
      asked += 1;
      isAsked = true;
    },
    *frames() {
      for (const [n, frame] of all.entries()) {
        // Each keyframe differs from the others.
        const data = isAsked ? Uint8Array.from([...key.data, n >> 8, n & 0xff]) : frame.data;
        const next = { ...frame, data, keyframe: isAsked || frame.keyframe };
        isAsked = false;
        sent.push(data);
        yield next;
      }
    },
  };
}

describe('two clients', () => {
  test.concurrent.for(ENCRYPTION_MODES)(
    '%s: everything arrives, bit for bit, in order',
    { timeout: TIMEOUT_MS },
    async (mode, { onTestFinished }) => {
      const { from, to } = await pair(onTestFinished, { voice: { modes: [mode] } });
      const { heard, seen, kinds } = follow(to, from.userId);
      const picture = camera();
      const audio = from.rtc.sendAudio(voice);
      const video = from.rtc.sendVideo({ codec: 'VP8', frames: picture.frames() }, { onKeyframeRequest: picture.ask });
      await Promise.all([audio.finished, video.finished]);
      await until(() => {
        expect(heard.at(-1)).toBe(text(voice.at(-1) as Uint8Array));
        expect(seen.length).toBe(picture.sent.length);
      });
      // A machine that stands still in a long run makes delay: what comes too late for it is not played, and delay that was too
      // long for five seconds is taken back by leaving frames out. Nothing else is missing.
      const stats = to.rtc.stats().inbound.find(({ kind }) => kind === 'audio');
      const missed = SECONDS < 5 ? 0 : (stats?.droppedFrames ?? 0) + (stats?.late ?? 0);
      const known = new Set(heard);
      expect(heard).toEqual(voice.map(text).filter((packet) => known.has(packet)));
      expect(heard.length).toBeGreaterThanOrEqual(voice.length - missed);
      expect(seen.map(({ data }) => text(data))).toEqual(picture.sent.map(text));
      expect(kinds.silence).toBeLessThan(voice.length);
      const { dave, path } = to.rtc.stats();
      expect([dave?.activity, dave?.decryptFailed, path.packetsForged]).toEqual(['active', 0, 0]);
    },
  );

  test.concurrent(
    '5 % loss, another order and 60 ms of jitter: gaps of sound are made up, pictures come again',
    async ({ onTestFinished }) => {
      const { sandbox, from, to } = await pair(onTestFinished);
      const { heard, seen, kinds } = follow(to, from.userId);
      const known = new Set(voice.map(text));
      const picture = camera();
      sandbox.faults.media({ loss: 0.05, jitterMs: 60, reorder: 0.05, seed: 5 });
      const audio = from.rtc.sendAudio(voice);
      const video = from.rtc.sendVideo({ codec: 'VP8', frames: picture.frames() }, { onKeyframeRequest: picture.ask });
      await Promise.all([audio.finished, video.finished]);
      // What is left arrives, or is given up.
      await until(() => expect(to.rtc.stats().inbound.filter(({ kind }) => kind === 'video')).toEqual([]));
      expect(heard.every((packet) => known.has(packet))).toBe(true);
      expect(heard.length).toBeGreaterThan(voice.length * 0.8);
      expect(kinds.concealed).toBeGreaterThan(0);
      const order = seen.map(({ data }) => picture.sent.findIndex((frame) => text(frame) === text(data)));
      expect(order.every((n, at) => n >= 0 && (at === 0 || n > (order[at - 1] as number)))).toBe(true);
      expect(seen.length).toBeGreaterThan(picture.sent.length * 0.6);
      expect(seen.every(({ discontinuity, keyframe }) => keyframe || !discontinuity)).toBe(true);
    },
    TIMEOUT_MS,
  );

  test.concurrent(
    'members come and go while they talk: at most the frames of each change are lost',
    async ({ onTestFinished }) => {
      const { sandbox, from, to } = await pair(onTestFinished);
      const { heard } = follow(to, from.userId);
      const third = (await sandbox.bots.create({ name: 'third' })).token;
      const before = to.rtc.encryption.epochCode;
      const audio = from.rtc.sendAudio(voice);
      await until(() => expect(heard.length).toBeGreaterThan(10));
      const guest = await seat(onTestFinished, sandbox, third);
      await until(() => expect(guest.rtc.encryption).toMatchObject({ activity: 'active' }));
      await until(() => expect(to.rtc.encryption).toEqual(guest.rtc.encryption));
      expect(to.rtc.encryption.epochCode).not.toBe(before);
      const also = follow(guest, from.userId);
      await until(() => expect(also.heard.length).toBeGreaterThan(5));
      await guest.leave();
      await audio.finished;
      await until(() => expect(heard.at(-1)).toBe(text(voice.at(-1) as Uint8Array)));
      // Two changes, 200 ms at most for each.
      expect(heard.length).toBeGreaterThanOrEqual(voice.length - 20);
      expect(to.rtc.stats().dave?.decryptFailed).toBeLessThanOrEqual(20);
    },
    TIMEOUT_MS,
  );
});
