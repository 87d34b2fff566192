/** Any course of calls to `sendVideo` and its senders, with sessions that come and go: what is sent can be decoded, and it ends. */
import type { RtpPacketInit } from '@guildkit/rtp';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createMediaEngine } from '../../src/media/media-engine.js';
import type { MediaSession } from '../../src/media/transport.js';
import type { VideoFrame, VideoSender } from '../../src/media/video-types.js';
import { createLink } from '../support/media-link.js';

type Step =
  | { readonly do: 'send'; readonly frames: number; readonly rid: string; readonly asks: boolean }
  | { readonly do: 'pause' | 'resume' | 'stop'; readonly which: number }
  | { readonly do: 'session' | 'newSession' | 'secret' | 'pli' }
  | { readonly do: 'nack'; readonly number: number }
  | { readonly do: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('send' as const),
    frames: fc.integer({ min: 0, max: 60 }),
    rid: fc.constantFrom('100', '50'),
    asks: fc.boolean(),
  }),
  fc.record({ do: fc.constantFrom('pause' as const, 'resume' as const, 'stop' as const), which: fc.nat(4) }),
  fc.record({ do: fc.constantFrom('session' as const, 'newSession' as const, 'secret' as const, 'pli' as const) }),
  fc.record({ do: fc.constant('nack' as const), number: fc.nat(0xffff) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 700 }) }),
);

const RIDS = ['100', '50'];
const sessionOf = (base: MediaSession, generation: number): MediaSession => ({
  ...base,
  generation,
  videoStreams: RIDS.map((rid, n) => ({
    ssrc: generation * 10 + n * 2,
    rtxSsrc: generation * 10 + n * 2 + 1,
    rid,
    quality: 100,
  })),
});

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
        let generation = 100;
        let session = sessionOf(side.session as MediaSession, generation);
        side.setSession(session);
        const sent: RtpPacketInit[] = [];
        side.sendRtp = (packet) => {
          sent.push(packet);
          return true;
        };
        side.sendRtcp = () => true;
        let announced: readonly number[] = [];
        side.announceVideo = (video) => {
          announced = video?.streams.map(({ ssrc }) => ssrc) ?? [];
        };
        let isSecret = false;
        side.encryptFrame = (_codec, frame) => (isSecret ? undefined : frame);
        const errors: unknown[] = [];
        const engine = createMediaEngine({
          transport: side,
          onError: (error) => errors.push(error),
          random: () => 0.99999,
        });

        let sources = 0;
        /** Frames tell their source and number; a keyframe every 20 or where one is asked for. */
        function* frames(count: number, camera: { isAsked: boolean }): Generator<VideoFrame> {
          sources += 1;
          const source = sources;
          for (let n = 0; n < count; n += 1) {
            const keyframe = n % 20 === 0 || camera.isAsked;
            camera.isAsked = false;
            const data = new Uint8Array(keyframe ? 3_000 : 900).fill(1);
            data[0] = keyframe ? 0x10 : 0x11;
            data.set([source, n], 1);
            yield { data, keyframe, timestamp: n * 33_333 };
          }
        }
        const senders: VideoSender[] = [];
        const settled: string[] = [];
        const tell = (
          packet: Parameters<NonNullable<Parameters<typeof side.listen>[0]['onRtcp']>>[0][number],
        ): void => {
          for (const listener of side.listeners) listener.onRtcp?.([packet], clock.now());
        };
        for (const one of steps) {
          if (one.do === 'send') {
            const camera = { isAsked: false };
            const ask = (): void => {
              camera.isAsked = true;
            };
            const sender = engine.sendVideo(
              { codec: 'VP8', frames: frames(one.frames, camera) },
              { rid: one.rid, ...(one.asks && { onKeyframeRequest: ask }) },
            );
            const n = senders.push(sender) - 1;
            settled[n] = 'pending';
            sender.finished.then(
              () => {
                settled[n] = 'finished';
              },
              (error: { code: string }) => {
                settled[n] = error.code;
              },
            );
          } else if (one.do === 'wait') {
            await clock.advance(one.ms);
          } else if (one.do === 'session') {
            side.setSession(side.session === undefined ? session : undefined);
          } else if (one.do === 'newSession') {
            generation += 1;
            session = sessionOf(session, generation);
            side.setSession(session);
          } else if (one.do === 'secret') {
            isSecret = !isSecret;
          } else if (one.do === 'pli') {
            tell({ type: 'pictureLossIndication', senderSsrc: 1, mediaSsrc: generation * 10 });
          } else if ('number' in one) {
            const sequenceNumbers = [one.number, sent.at(-1)?.sequenceNumber ?? 0];
            tell({ type: 'nack', senderSsrc: 1, mediaSsrc: generation * 10, sequenceNumbers });
          } else if ('which' in one) {
            senders[one.which]?.[one.do]();
          }
        }
        isSecret = false;
        if (side.session === undefined) side.setSession(session);
        for (const sender of senders) sender.resume();
        await clock.advance(20_000);
        expect(errors).toEqual([]);
        expect(settled.filter((how) => how !== 'finished' && how !== 'ERR_RTC_SEND_ABORTED')).toEqual([]);
        expect(announced).toEqual([]);

        // Of each stream as its receiver would see it: a frame's predecessor was sent, or it is a keyframe.
        for (const ssrc of new Set(
          sent.filter(({ payloadType }) => payloadType === 105).map((packet) => packet.ssrc),
        )) {
          let last: readonly number[] = [];
          for (const { payload } of sent.filter((packet) => packet.ssrc === ssrc && packet.payloadType === 105)) {
            // The first packet of a frame: S, behind four bytes of descriptor.
            if (((payload[0] as number) & 0x10) === 0) continue;
            const [source, number] = [payload[5] as number, payload[6] as number];
            const isKeyframe = payload[4] === 0x10;
            if (!isKeyframe) expect(last).toEqual([source, number - 1]);
            last = [source, number];
          }
        }
        expect(clock.pending).toBeLessThanOrEqual(1);
        engine.close();
        await clock.advance(100);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: RUNS, seed: 5 },
    );
  },
  TIMEOUT_MS,
);
