/** Received video: what is asked of the sender, what is handed out, and to whom. */
import { ntpFromUnixMs, type RtcpPacket, type RtpPacket, toRtx, vp8, vp9 } from '@guildkit/rtp';
import { createVirtualClock, type VirtualClock } from '@guildkit/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { createMediaEngine, type MediaEngine } from '../../src/media/media-engine.js';
import type { MediaSinkWants, MediaTransportListener, RemoteVideo } from '../../src/media/transport.js';
import type { ReceivedVideo } from '../../src/media/video-types.js';
import { vp8Frames } from '../support/frames.js';
import { createLink, type Side } from '../support/media-link.js';

let clock: VirtualClock;
let side: Side;
let engine: MediaEngine;
let asked: RtcpPacket[];
let wants: MediaSinkWants[];
let seen: ReceivedVideo[];
let sequence: number;

const SSRC = 50;
const tell = (work: (listener: MediaTransportListener) => void): void => {
  for (const listener of side.listeners) work(listener);
};
const stream = (ssrc: number, rid: string, quality: number) => ({
  ssrc,
  rtxSsrc: ssrc + 1,
  rid,
  quality,
  active: true,
  maxBitrate: 0,
  maxFramerate: 0,
  width: 0,
  height: 0,
});
const shows = (userId: string, ...streams: RemoteVideo['streams'][number][]): void =>
  tell((listener) =>
    listener.onVideo?.({ userId, audioSsrc: 0, videoSsrc: streams[0]?.ssrc ?? 0, rtxSsrc: 0, streams }),
  );

beforeEach(() => {
  clock = createVirtualClock();
  side = createLink(clock)[0];
  asked = [];
  wants = [];
  seen = [];
  sequence = 65_500;
  side.sendRtcp = (packets) => {
    asked.push(...packets);
    return true;
  };
  side.setSinkWants = (wanted) => wants.push(wanted);
  engine = createMediaEngine({ transport: side, random: () => 0.5 });
});

/** The packets of one frame, numbered on. */
function packetsOf(frame: Uint8Array, n: number, ssrc = SSRC): RtpPacket[] {
  return vp8.packetize(frame, { pictureId: n & 0x7fff }).map(({ payload, marker }) => {
    const sequenceNumber = sequence;
    sequence = (sequence + 1) & 0xffff;
    return {
      payloadType: 105,
      ssrc,
      sequenceNumber,
      timestamp: (4_294_960_000 + n * 3_000) >>> 0,
      marker,
      payload,
      csrcs: [],
      extension: undefined,
      paddingLength: 0,
    };
  });
}
const arrive = (packet: RtpPacket): void => tell((listener) => listener.onRtp?.(packet, clock.now()));
const frames = vp8Frames(200, 1_000);
const key = vp8Frames(1)[0]?.data as Uint8Array;
const show = async (n: number, data = frames[n]?.data as Uint8Array): Promise<void> => {
  for (const packet of packetsOf(data, n)) arrive(packet);
  await clock.advance(33);
};
const types = (): string[] => asked.map(({ type }) => type);

describe('onVideo', () => {
  it('hands out frames with their times, the sender’s too once it has told them', async () => {
    engine.onVideo((frame) => seen.push(frame));
    shows('a', stream(SSRC, '100', 100));
    await show(0);
    await show(1);
    tell((listener) =>
      listener.onRtcp?.(
        [
          {
            type: 'senderReport',
            ssrc: SSRC,
            ntpTime: ntpFromUnixMs(1_700_000_000_000),
            rtpTimestamp: 4_294_960_000,
            packetCount: 0,
            octetCount: 0,
            reports: [],
          },
        ],
        clock.now(),
      ),
    );
    await show(2);
    expect(seen.map(({ keyframe, timestampUs }) => [keyframe, timestampUs])).toEqual([
      [true, 0],
      [false, 33_333],
      [false, 66_667],
    ]);
    expect(seen[0]).toMatchObject({
      userId: 'a',
      ssrc: SSRC,
      rid: '',
      codec: 'VP8',
      senderTime: undefined,
      discontinuity: false,
    });
    expect(seen[2]?.senderTime).toBeCloseTo(1_700_000_000_066.67, 0);
    expect(asked).toEqual([]);
  });

  it('asks for what is missing, and puts it in its place', async () => {
    engine.onVideo((frame) => seen.push(frame));
    shows('a', stream(SSRC, '100', 100));
    await show(0);
    const packets = packetsOf(new Uint8Array(5_000).fill(0x11), 1);
    for (const [n, packet] of packets.entries()) if (n !== 2) arrive(packet);
    await clock.advance(9);
    expect(asked).toEqual([]);
    await clock.advance(12);
    expect(asked).toEqual([
      { type: 'nack', senderSsrc: 1_000, mediaSsrc: SSRC, sequenceNumbers: [packets[2]?.sequenceNumber] },
    ]);
    const lost = packets[2] as RtpPacket;
    const again = toRtx(lost, { ssrc: SSRC + 1, payloadType: 106, sequenceNumber: 9 });
    arrive({ ...lost, ...again } as RtpPacket);
    expect(seen.length).toBe(2);
    expect(engine.stats().inbound[0]).toMatchObject({ recovered: 1, nacks: 1, lost: 0, frames: 2, droppedFrames: 0 });
    await clock.advance(1_000);
    expect(asked.length).toBe(1);
    // A probe of padding alone is nothing.
    arrive({ ...lost, ...again, payload: new Uint8Array(0), sequenceNumber: 10 } as RtpPacket);
  });

  it('behind what is lost hands out nothing, and asks for a keyframe until one comes: PLI, at times FIR', async () => {
    engine.onVideo((frame) => seen.push(frame));
    shows('a', stream(SSRC, '100', 100));
    await show(0);
    const missing = packetsOf(frames[1]?.data as Uint8Array, 1).length;
    for (let n = 2; n < 80; n += 1) await show(n);
    expect(seen.length).toBe(1);
    const requests = types().filter((type) => type !== 'nack' && type !== 'receiverReport');
    // One every half second, from when it was given up (400 ms).
    expect(requests).toEqual([
      'pictureLossIndication',
      'pictureLossIndication',
      'pictureLossIndication',
      'fullIntraRequest',
      'pictureLossIndication',
    ]);
    expect(asked.find(({ type }) => type === 'fullIntraRequest')).toMatchObject({
      mediaSsrc: 0,
      requests: [{ ssrc: SSRC, sequenceNumber: 1 }],
    });
    expect(asked.filter(({ type }) => type === 'nack').length).toBeLessThanOrEqual(8);
    const before = asked.length;
    await show(80, key);
    await show(81);
    expect(seen.slice(1).map(({ keyframe, discontinuity }) => [keyframe, discontinuity])).toEqual([
      [true, true],
      [false, false],
    ]);
    await clock.advance(2_000);
    expect(asked.slice(before).filter(({ type }) => type !== 'receiverReport')).toEqual([]);
    expect(engine.stats().inbound[0]).toMatchObject({ keyframeRequests: 5, keyframes: 2, lost: missing });
  });

  it('a frame that cannot be decrypted is a lost one', async () => {
    let readable = true;
    side.decryptFrame = (_user, _codec, frame) => (readable ? { ok: true, frame } : { ok: false, reason: 'noKey' });
    engine.onVideo((frame) => seen.push(frame));
    shows('a', stream(SSRC, '100', 100));
    await show(0);
    readable = false;
    await show(1);
    readable = true;
    await show(2);
    expect(seen.length).toBe(1);
    expect(types()).toEqual(['pictureLossIndication']);
    await show(3, key);
    expect(seen.at(-1)).toMatchObject({ keyframe: true, discontinuity: true });
    expect(engine.stats().inbound[0]).toMatchObject({ decryptFailures: 1, droppedFrames: 2 });
  });

  it('tells layers apart, follows changes of them, and gives each listener its user', async () => {
    const other: ReceivedVideo[] = [];
    engine.onVideo((frame) => seen.push(frame), { userId: 'a' });
    engine.onVideo((frame) => other.push(frame), { userId: 'b' });
    shows('a', stream(SSRC, '100', 100), stream(60, '50', 50));
    shows('b', stream(70, '100', 100));
    shows('c', stream(80, '100', 100));
    for (const ssrc of [SSRC, 60, 70, 80]) for (const packet of packetsOf(key, 1, ssrc)) arrive(packet);
    await clock.advance(50);
    expect(seen.map(({ rid }) => rid)).toEqual(['100', '50']);
    expect(other.map(({ userId, rid }) => [userId, rid])).toEqual([['b', '']]);
    // Nobody wants the third: it is not put together.
    expect(engine.stats().inbound.map(({ userId }) => userId)).toEqual(['a', 'a', 'b']);
    shows('a', stream(60, '50', 50));
    expect(engine.stats().inbound.map(({ ssrc }) => ssrc)).toEqual([60, 70]);
    shows('a');
    expect(engine.stats().inbound.map(({ ssrc }) => ssrc)).toEqual([70]);
  });

  it('changes the codec with the payload type, beginning with a keyframe', async () => {
    engine.onVideo((frame) => seen.push(frame));
    shows('a', stream(SSRC, '100', 100));
    await show(0);
    const asVp9 = (data: Uint8Array, keyframe: boolean, n: number): void => {
      const [payload] = vp9.packetize(data, { keyframe, pictureId: n });
      const [packet] = packetsOf(new Uint8Array(1), n);
      arrive({ ...(packet as RtpPacket), payloadType: 107, payload: payload?.payload as Uint8Array });
    };
    asVp9(Uint8Array.of(0x86, 1), false, 1);
    asVp9(Uint8Array.of(0x82, 1), true, 2);
    asVp9(Uint8Array.of(0x86, 1), false, 3);
    await clock.advance(50);
    expect(seen.map(({ codec, keyframe }) => [codec, keyframe])).toEqual([
      ['VP8', true],
      ['VP9', true],
      ['VP9', false],
    ]);
    // A payload type that nobody agreed on.
    arrive({ ...(packetsOf(key, 9)[0] as RtpPacket), payloadType: 96 });
    await clock.advance(50);
    expect(seen.length).toBe(3);
  });

  it('says what is wanted, and asks for a keyframe when it is told to, twice a second at most', async () => {
    const stop = engine.onVideo((frame) => seen.push(frame));
    const stopOther = engine.onVideo(() => {});
    shows('a', stream(SSRC, '100', 100));
    await show(0);
    for (let n = 0; n < 5; n += 1) engine.requestKeyframe('a');
    engine.requestKeyframe('nobody');
    expect(types()).toEqual(['pictureLossIndication']);
    await clock.advance(600);
    engine.requestKeyframe('a');
    expect(types().filter((type) => type === 'pictureLossIndication').length).toBe(2);
    stop();
    stopOther();
    stopOther();
    expect(wants).toEqual([
      { any: 100, ssrcs: {} },
      { any: 0, ssrcs: {} },
    ]);
    await show(1);
    expect(seen.length).toBe(1);
    expect(clock.pending).toBeLessThanOrEqual(1);
  });

  it('reports on what it receives about every five seconds', async () => {
    engine.onVideo(() => {});
    shows('a', stream(SSRC, '100', 100));
    for (let n = 0; n < 180; n += 1) await show(n % 200);
    const reports = asked.filter(({ type }) => type === 'receiverReport');
    expect(reports).toMatchObject([{ ssrc: 1_000, reports: [{ ssrc: SSRC, packetsLost: 0 }] }]);
  });
});
