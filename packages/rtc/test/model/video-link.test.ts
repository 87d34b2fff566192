/** Video between two engines on networks of every kind, by seed: whatever is handed out can be decoded, and it always goes on. */
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMediaEngine } from '../../src/media/media-engine.js';
import type { VideoFrame } from '../../src/media/video-types.js';
import type { VideoCodec } from '../../src/protocol/voice-codecs.js';
import { createLink, dice } from '../support/media-link.js';

/** For each codec; the long run takes more. */
const NETWORKS = Number(process.env.GUILDKIT_SOAK_RUNS ?? 8);

/** What an encoder makes, with the number of each frame in it; a keyframe where one is asked for. */
function camera(codec: VideoCodec, random: () => number) {
  let isAsked = true;
  let made = 0;
  const HEADS: Readonly<Record<VideoCodec, (keyframe: boolean) => number[]>> = {
    VP8: (keyframe) => [keyframe ? 0x10 : 0x11],
    VP9: (keyframe) => [keyframe ? 0x82 : 0x86],
    H264: (keyframe) => (keyframe ? [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x65] : [0, 0, 0, 1, 0x61]),
  };
  return {
    ask: () => {
      isAsked = true;
    },
    get made() {
      return made;
    },
    *frames(): Generator<VideoFrame> {
      for (let n = 0; ; n += 1) {
        const head = HEADS[codec](isAsked);
        const size = isAsked ? 6_000 : 200 + Math.floor(random() * 3_500);
        // No zeros: nothing may look like a start code.
        const data = Uint8Array.from([...head, (n >> 6) + 2, (n & 63) + 2, ...new Uint8Array(size).fill(9)]);
        const keyframe = isAsked;
        isAsked = false;
        made = n + 1;
        yield { data, keyframe, timestamp: Math.round((n * 1_000_000) / 30) };
      }
    },
    numberOf: ({ data }: { readonly data: Uint8Array }, keyframe: boolean): number => {
      const at = HEADS[codec](keyframe).length;
      return (((data[at] as number) - 2) << 6) | ((data[at + 1] as number) - 2);
    },
  };
}

/** Proportional, so that a long run does not meet the default limit. */
const TIMEOUT_MS = 30_000 + NETWORKS * 500;

describe('video', () => {
  it.each<VideoCodec>(['VP8', 'VP9', 'H264'])(
    '%s: what is handed out can be decoded, and it goes on',
    async (codec) => {
      const weather = fc.record({
        seed: fc.integer({ min: 0, max: 1e9 }),
        loss: fc.double({ min: 0, max: 0.3, noNaN: true }),
        duplicates: fc.double({ min: 0, max: 0.2, noNaN: true }),
        delayMs: fc.integer({ min: 0, max: 150 }),
        jitterMs: fc.integer({ min: 0, max: 80 }),
        blackoutMs: fc.constantFrom(0, 0, 300, 1_500),
      });
      for (const { blackoutMs, ...conditions } of fc.sample(weather, { numRuns: NETWORKS, seed: 7 })) {
        const clock = createVirtualClock();
        const network = { ...conditions, videoCodec: codec };
        const [left, right] = createLink(clock, network);
        const sender = createMediaEngine({ transport: left, random: dice(1) });
        const errors: unknown[] = [];
        // What a listener throws is told here.
        const receiver = createMediaEngine({
          transport: right,
          random: dice(2),
          onError: (error) => errors.push(error),
        });
        const picture = camera(codec, dice(conditions.seed));
        let last: number | undefined;
        let count = 0;
        receiver.onVideo(({ data, keyframe, discontinuity }) => {
          const n = picture.numberOf({ data }, keyframe);
          // A frame refers to the one before it; a keyframe to none.
          if (!keyframe && n !== (last as number) + 1) throw new Error(`frame ${n} after ${last}`);
          if (last !== undefined && n <= last) throw new Error(`frame ${n} after ${last}`);
          if (last !== undefined) expect(discontinuity).toBe(n !== last + 1);
          last = n;
          count += 1;
        });
        sender.sendVideo({ codec, frames: picture.frames() }, { onKeyframeRequest: picture.ask });
        await clock.advance(3_000);
        left.blackout = blackoutMs > 0;
        await clock.advance(blackoutMs);
        left.blackout = false;
        await clock.advance(4_000);
        expect(
          errors
            .slice(0, 1)
            .map((error) => [String((error as Error).cause), JSON.stringify({ blackoutMs, ...conditions })]),
        ).toEqual([]);
        const weather = JSON.stringify({ blackoutMs, ...conditions });
        if (conditions.loss < 0.15) {
          expect(count, weather).toBeGreaterThan(60);
          // Not further behind than a few requests for a keyframe take.
          expect(picture.made - (last as number), weather).toBeLessThan(75);
        }
        // Where most frames need more than one retransmission, little comes through; but whatever happened, it goes on.
        network.loss = 0;
        await clock.advance(3_000);
        expect(picture.made - (last as number), weather).toBeLessThan(30);
        sender.close();
        receiver.close();
        await clock.advance(1_000);
        expect(clock.pending).toBe(0);
      }
    },
    TIMEOUT_MS,
  );
});
