/**
 * Hostile packets and files: nothing throws, nothing grows. A seeded sample; GUILDKIT_FUZZ_INPUTS sets how many inputs each
 * part gets, GUILDKIT_FUZZ_SEED where they begin.
 */
import { buildRtcp, buildRtp, h264, parseRtcp, parseRtp, vp8, vp9 } from '@guildkit/rtp';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';
import { createIvfParser, ivfFrame, ivfHeader } from '../../src/files/protocol/ivf.js';
import { createWavParser, wavHeader } from '../../src/files/protocol/wav.js';
import { createMediaEngine } from '../../src/media/media-engine.js';
import { splitOpus } from '../../src/media/protocol/opus-frames.js';
import { frameSizeOf, isKeyframe } from '../../src/media/protocol/video-header.js';
import { createLink, dice } from '../support/media-link.js';

const INPUTS = Number(process.env.GUILDKIT_FUZZ_INPUTS ?? 10_000);
const SEED = Number(process.env.GUILDKIT_FUZZ_SEED ?? 1);
// Proportional, so that a long run does not meet the default limit.
const TIMEOUT_MS = Math.max(60_000, INPUTS * 2);

function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  const copy = random() < 0.2 ? bytes.slice(0, Math.floor(random() * bytes.length)) : bytes.slice();
  for (let n = Math.floor(random() * 4); n > 0 && copy.length > 0; n -= 1) {
    copy[Math.floor(random() * copy.length)] = random() < 0.3 ? 255 : Math.floor(random() * 256);
  }
  return copy;
}

describe('hostile input', () => {
  it(
    'an engine takes any packets, in any order, and stays bounded',
    async () => {
      const random = dice(SEED);
      const clock = createVirtualClock();
      const [side] = createLink(clock);
      const errors: unknown[] = [];
      const talking = new Set<string>();
      const engine = createMediaEngine({
        transport: side,
        onError: (error) => errors.push(error),
        // Begins and ends take turns, for each stream of each user.
        onTalk(event) {
          const name = `${event.userId} ${event.ssrc}`;
          if (talking.has(name) === event.talking) errors.push(`${name} ${event.talking} twice`);
          if (event.talking) talking.add(name);
          else talking.delete(name);
        },
        random,
      });
      let frames = 0;
      engine.onAudio(() => {
        frames += 1;
      });
      engine.onVideo(() => {
        frames += 1;
      });
      const video = engine.sendVideo({ codec: 'VP8', frames: endless() }, { onKeyframeRequest: () => {} });
      const frame = Uint8Array.from({ length: 3_000 }, (_, n) => (n * 7) & 0xff);
      frame[0] = 0x10;
      const nal = Uint8Array.from([0, 0, 0, 1, 0x65, ...frame.map((byte) => byte | 2)]);
      const payloads = [
        ...vp8.packetize(frame, { pictureId: 1 }).map(({ payload }) => [105, payload] as const),
        ...vp9.packetize(frame, { keyframe: true, pictureId: 1 }).map(({ payload }) => [107, payload] as const),
        ...h264.packetize(nal).map(({ payload }) => [101, payload] as const),
        [106, Uint8Array.of(0, 5, 0x10, 1, 2)] as const,
        [120, Uint8Array.of(0xfc, 1, 2)] as const,
        [120, Uint8Array.of(0xf8, 0xff, 0xfe)] as const,
      ];
      const listeners = [...side.listeners];
      let sequence = 65_000;
      for (let n = 0; n < INPUTS; n += 1) {
        const ssrc = Math.floor(random() * 12);
        const [payloadType, payload] = payloads[Math.floor(random() * payloads.length)] as (typeof payloads)[number];
        sequence += random() < 0.02 ? Math.floor(random() * 40_000) : Math.floor(random() * 4) - 1;
        const datagram = buildRtp({
          payloadType,
          ssrc,
          sequenceNumber: sequence & 0xffff,
          timestamp: Math.floor(random() < 0.02 ? random() * 2 ** 32 : n * 500) >>> 0,
          marker: random() < 0.5,
          payload: mutate(payload, random),
        });
        const parsed = parseRtp(mutate(datagram, random));
        if (parsed.ok) for (const listener of listeners) listener.onRtp?.(parsed.value, clock.now());
        const rtcp = parseRtcp(
          mutate(
            buildRtcp([
              { type: 'nack', senderSsrc: 1, mediaSsrc: 1_001, sequenceNumbers: [1, 2, 3, 400] },
              { type: 'pictureLossIndication', senderSsrc: 1, mediaSsrc: 1_001 },
              {
                type: 'receiverReport',
                ssrc: 1,
                reports: [
                  {
                    ssrc: 1_001,
                    fractionLost: 9,
                    packetsLost: 4,
                    highestSequenceNumber: 5,
                    jitter: 6,
                    lastSenderReport: 7,
                    delaySinceLastSenderReport: 8,
                  },
                ],
              },
            ]),
            random,
          ),
        );
        if (rtcp.ok) for (const listener of listeners) listener.onRtcp?.(rtcp.value, clock.now());
        const user = `u${Math.floor(random() * 5)}`;
        for (const listener of listeners) {
          const kind = Math.floor(random() * 40);
          if (kind === 0) listener.onSpeaking?.({ userId: user, ssrc, flags: 1 });
          if (kind === 1)
            listener.onVideo?.({ userId: user, audioSsrc: ssrc, videoSsrc: ssrc, rtxSsrc: ssrc, streams: [] });
          if (kind === 2) {
            const stream = {
              ssrc,
              rtxSsrc: (ssrc + 1) % 12,
              rid: '1',
              quality: 1,
              active: true,
              maxBitrate: 1,
              maxFramerate: 1,
              width: 1,
              height: 1,
            };
            listener.onVideo?.({ userId: user, audioSsrc: 0, videoSsrc: ssrc, rtxSsrc: 0, streams: [stream] });
          }
          if (kind === 3 && random() < 0.3) listener.onUserLeft?.(user);
        }
        if (n % 20 === 0) await clock.advance(Math.floor(random() * 60));
      }
      engine.stats();
      expect(errors).toEqual([]);
      expect(frames).toBeGreaterThan(INPUTS / 500);
      video.stop();
      engine.close();
      expect(talking.size).toBe(0);
      await clock.advance(5_000);
      expect(clock.pending).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'files',
    () => {
      const random = dice(SEED);
      const wav = Buffer.concat([wavHeader(48_000, 2, 400), Buffer.alloc(400, 3)]);
      const head = ivfHeader({ codec: 'VP8', width: 640, height: 360, rate: 30, scale: 1 });
      const ivf = Buffer.concat([
        head,
        ...[0, 1, 2].map((timestamp) => ivfFrame({ data: new Uint8Array(90), timestamp })),
      ]);
      for (let n = 0; n < INPUTS; n += 1) {
        const broken = mutate(n % 2 === 0 ? wav : ivf, random);
        const parser = n % 2 === 0 ? createWavParser() : createIvfParser();
        const size = 1 + Math.floor(random() * broken.length);
        for (let at = 0; at < broken.length; at += size) if (!parser.push(broken.subarray(at, at + size)).ok) break;
        const packet = Uint8Array.from({ length: Math.floor(random() * 40) }, () => random() * 256);
        const parts = splitOpus(packet) ?? [];
        expect(parts.reduce((sum, part) => sum + part.length - 1, 0)).toBeLessThanOrEqual(packet.length);
        for (const codec of ['VP8', 'VP9', 'H264'] as const) {
          isKeyframe(codec, packet);
          frameSizeOf(codec, packet);
        }
      }
    },
    TIMEOUT_MS,
  );
});

async function* endless() {
  for (let n = 0; ; n += 1) {
    const data = new Uint8Array(2_000);
    data[0] = n % 30 === 0 ? 0x10 : 0x11;
    yield { data, keyframe: n % 30 === 0, timestamp: n * 33_333 };
  }
}
