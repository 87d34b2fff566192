/** Any course of calls to `sendAudio` and its senders, with sessions that come and go: what is sent keeps to the rules of RTP, and ends. */
import { opus as opusFormat, type RtpPacketInit } from '@guildkit/rtp';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { AudioSender, AudioSource } from '../../src/media/audio-types.js';
import type { OpusCodec } from '../../src/media/codec/opus-codec.js';
import { createMediaEngine } from '../../src/media/media-engine.js';
import { opusPackets } from '../support/frames.js';
import { createLink } from '../support/media-link.js';

/** Enough to be sent; what is in it does not matter. */
const codec: OpusCodec = {
  name: 'test',
  createEncoder: ({ channels }) => ({
    channels,
    encode: () => Uint8Array.of(0xfc, 1, 2, 3),
    setBitrate() {},
    setComplexity() {},
    reset() {},
    free() {},
  }),
  createDecoder: ({ channels }) => ({
    channels,
    decode: (packet) => new Int16Array((opusFormat.samplesOf(packet) as number) * channels),
    conceal: (samples) => new Int16Array(samples * channels),
    reset() {},
    free() {},
  }),
};

type Step =
  | {
      readonly do: 'send';
      readonly source: number;
      readonly frames: number;
      readonly whenBusy: 'queue' | 'mix' | 'replace';
      readonly volume: number;
    }
  | { readonly do: 'pause' | 'resume' | 'stop'; readonly which: number }
  | { readonly do: 'volume'; readonly which: number; readonly to: number }
  | { readonly do: 'session' }
  | { readonly do: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('send' as const),
    source: fc.integer({ min: 0, max: 4 }),
    frames: fc.integer({ min: 0, max: 40 }),
    whenBusy: fc.constantFrom('queue' as const, 'queue' as const, 'mix' as const, 'replace' as const),
    volume: fc.constantFrom(1, 1, 0.5),
  }),
  fc.record({
    do: fc.constantFrom('pause' as const, 'resume' as const, 'resume' as const, 'stop' as const),
    which: fc.nat(5),
  }),
  fc.record({ do: fc.constant('volume' as const), which: fc.nat(5), to: fc.constantFrom(0, 1, 2) }),
  fc.record({ do: fc.constant('session' as const) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 400 }) }),
);

const RUNS = Number(process.env.GUILDKIT_SOAK_RUNS ?? 60);
/** Proportional, so that a long run does not meet the default limit. */
const TIMEOUT_MS = 30_000 + RUNS * 50;

it(
  'keeps to the rules, whatever is called',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        const clock = createVirtualClock();
        const [side] = createLink(clock);
        const { session } = side;
        const sent: { readonly at: number; readonly packet: RtpPacketInit }[] = [];
        side.sendRtp = (packet) => {
          sent.push({ at: clock.now(), packet });
          return true;
        };
        // Reports under way would count as timers.
        side.sendRtcp = () => true;
        const errors: unknown[] = [];
        const engine = createMediaEngine({
          transport: side,
          opusCodec: codec,
          onError: (error) => errors.push(error),
          random: () => 0.99999,
        });
        const sources: readonly ((frames: number) => AudioSource)[] = [
          (frames) => opusPackets(frames),
          (frames) => ({ pcm: new Int16Array(frames * 1_000), sampleRate: 48_000, channels: 1 }),
          (frames) => ({ pcm: new Float32Array(frames * 1_764), sampleRate: 44_100, channels: 2 }),
          // 60 ms each.
          (frames) => Array.from({ length: frames }, () => Uint8Array.of(0x58, 1, 2)),
          async function* (frames: number) {
            for (const packet of opusPackets(frames)) {
              if (packet[2] === 7) await new Promise((resolve) => clock.setTimer(() => resolve(undefined), 300));
              yield packet;
            }
          } as (frames: number) => AudioSource,
        ];
        const senders: AudioSender[] = [];
        const settled: string[] = [];
        for (const one of steps) {
          if (one.do === 'send') {
            const { whenBusy, volume } = one;
            const sender = engine.sendAudio((sources[one.source] as (frames: number) => AudioSource)(one.frames), {
              whenBusy,
              volume,
            });
            const n = senders.push(sender);
            settled[n - 1] = 'pending';
            sender.finished.then(
              () => {
                settled[n - 1] = 'finished';
              },
              (error: { code: string }) => {
                settled[n - 1] = error.code;
              },
            );
          } else if (one.do === 'session') {
            side.setSession(side.session === undefined ? session : undefined);
          } else if (one.do === 'wait') {
            await clock.advance(one.ms);
          } else {
            const sender = senders[one.which];
            if (sender === undefined) continue;
            if (one.do === 'volume') sender.volume = one.to;
            else sender[one.do]();
          }
        }
        // Everything can end now.
        if (side.session === undefined) side.setSession(session);
        for (const sender of senders) sender.resume();
        await clock.advance(60_000);
        expect(errors).toEqual([]);
        expect(settled.filter((how) => how !== 'finished' && how !== 'ERR_RTC_SEND_ABORTED')).toEqual([]);
        expect(senders.every(({ state }) => state === 'ended')).toBe(true);
        for (const [n, { at, packet }] of sent.entries()) {
          const before = sent[n - 1];
          if (before === undefined) continue;
          expect((packet.sequenceNumber - before.packet.sequenceNumber) & 0xffff).toBe(1);
          const step_ = ((packet.timestamp - before.packet.timestamp) >>> 0) / 48;
          // Never back, never on top of the one before, and in step with time.
          expect(step_).toBeGreaterThanOrEqual(opusFormat.samplesOf(before.packet.payload) === 2_880 ? 59.9 : 19.9);
          expect(Math.abs(step_ - (at - before.at))).toBeLessThan(60.1);
        }
        // A talk ends with silence, told once; nothing is left running.
        if (sent.length > 0) {
          expect(sent.slice(-5).every(({ packet }) => opusFormat.isSilence(packet.payload))).toBe(true);
          expect(side.speaking.at(-1)).toBe(0);
        }
        expect(clock.pending).toBeLessThanOrEqual(1);
        engine.close();
        expect(clock.pending).toBe(0);
      }),
      { numRuns: RUNS, seed: 5 },
    );
  },
  TIMEOUT_MS,
);
