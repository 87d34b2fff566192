/**
 * Two media transports with a bad network between them, in virtual time and by seed. Packets go through bytes, as on a real
 * one; there is no server, no cipher and no DAVE.
 */
import { type Clock, silentLogger } from '@guildkit/core';
import { buildRtcp, buildRtp, parseRtcp, parseRtp } from '@guildkit/rtp';
import type { MediaSession, MediaTransport, MediaTransportListener } from '../../src/media/transport.js';
import type { VideoCodec } from '../../src/protocol/voice-codecs.js';

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What happens to packets. */
export interface Weather {
  readonly seed?: number;
  /** 0 to 1. */
  readonly loss?: number;
  readonly duplicates?: number;
  readonly delayMs?: number;
  /** Added to the delay of each packet, from 0 to this: more than the distance of packets reorders them. */
  readonly jitterMs?: number;
  readonly videoCodec?: VideoCodec | undefined;
}

/** One side. */
export interface Side extends MediaTransport {
  readonly userId: string;
  setSession(session: MediaSession | undefined): void;
  readonly listeners: Set<MediaTransportListener>;
  /** Opcode 5 as sent. */
  readonly speaking: number[];
  readonly sent: { rtp: number; rtcp: string[]; lost: number };
  /** May be replaced by a test. */
  encryptFrame: MediaTransport['encryptFrame'];
  decryptFrame: MediaTransport['decryptFrame'];
  /** While set, nothing arrives from it. */
  blackout: boolean;
}

/** SSRCs of the n-th side: audio, video, retransmissions. */
export const ssrcsOf = (side: number): { audio: number; video: number; rtx: number } => ({
  audio: 1_000 * (side + 1),
  video: 1_000 * (side + 1) + 1,
  rtx: 1_000 * (side + 1) + 2,
});

/** Two connected sides. */
export function createLink(clock: Clock, weather: Weather = {}): readonly [Side, Side] {
  const { seed = 1, videoCodec = 'VP8' } = weather;
  const random = dice(seed);
  const delay = (): number => weather.delayMs ?? 10;
  const sides: Side[] = [];

  function carry(from: Side, arrive: (to: Side) => void): void {
    // Looked at for each packet: a test may change it.
    const { loss = 0, duplicates = 0, jitterMs = 0 } = weather;
    if (from.blackout || random() < loss) {
      from.sent.lost += 1;
      return;
    }
    const to = sides.find((side) => side !== from) as Side;
    const copies = random() < duplicates ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) clock.setTimer(() => arrive(to), delay() + random() * jitterMs);
  }

  function makeSide(index: number): Side {
    const { audio, video, rtx } = ssrcsOf(index);
    const listeners = new Set<MediaTransportListener>();
    let session: MediaSession | undefined = {
      generation: 1,
      userId: `user-${index}`,
      channelId: 'channel',
      audioSsrc: audio,
      videoStreams: [{ ssrc: video, rtxSsrc: rtx, rid: '100', quality: 100 }],
      videoCodec,
      mode: 'aead_aes256_gcm_rtpsize',
    };
    let flags: number | undefined;
    let announced = '';
    const tell = (work: (listener: MediaTransportListener) => void): void => {
      for (const listener of listeners) work(listener);
    };
    const other = (): Side => sides.find((candidate) => candidate !== side) as Side;
    const side: Side = {
      clock,
      logger: silentLogger,
      userId: `user-${index}`,
      headerExtensions: {},
      listeners,
      speaking: [],
      sent: { rtp: 0, rtcp: [], lost: 0 },
      blackout: false,
      get session() {
        return session;
      },
      setSession(next) {
        session = next;
        tell((listener) => listener.onSession?.(next));
      },
      sendRtp(init) {
        if (session === undefined) return false;
        const bytes = buildRtp(init);
        side.sent.rtp += 1;
        carry(side, (to) => {
          const parsed = parseRtp(bytes.slice());
          if (!parsed.ok) throw new Error('what was built does not parse');
          for (const listener of to.listeners) listener.onRtp?.(parsed.value, clock.now());
        });
        return true;
      },
      sendRtcp(packets) {
        if (session === undefined) return false;
        const bytes = buildRtcp(packets);
        side.sent.rtcp.push(...packets.map(({ type }) => type));
        carry(side, (to) => {
          const parsed = parseRtcp(bytes.slice());
          if (!parsed.ok) throw new Error('what was built does not parse');
          for (const listener of to.listeners) listener.onRtcp?.(parsed.value, clock.now());
        });
        return true;
      },
      setSpeaking(next) {
        if (next === flags) return;
        flags = next;
        side.speaking.push(next);
        clock.setTimer(() => {
          for (const listener of other().listeners) {
            listener.onSpeaking?.({ userId: side.userId, ssrc: audio, flags: next });
          }
        }, delay());
      },
      announceVideo(announcement) {
        const text = JSON.stringify(announcement ?? null);
        if (text === announced) return;
        announced = text;
        const streams = announcement?.streams ?? [];
        const first = streams[0];
        clock.setTimer(() => {
          for (const listener of other().listeners) {
            listener.onVideo?.({
              userId: side.userId,
              audioSsrc: audio,
              videoSsrc: first?.ssrc ?? 0,
              rtxSsrc: first?.rtxSsrc ?? 0,
              streams,
            });
          }
        }, delay());
      },
      setSinkWants(wants) {
        clock.setTimer(() => {
          for (const listener of other().listeners) listener.onSinkWants?.(wants);
        }, delay());
      },
      encryptFrame: (_codec, frame) => frame,
      decryptFrame: (_userId, _codec, frame) => ({ ok: true, frame }),
      listen(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    return side;
  }

  sides.push(makeSide(0), makeSide(1));
  return sides as unknown as readonly [Side, Side];
}
