import type { RtcpPacket, RtpPacketInit } from '@guildkit/rtp';
import { createVirtualClock, type VirtualClock } from '@guildkit/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { createMediaEngine, type MediaEngine } from '../../src/media/media-engine.js';
import type { MediaSession } from '../../src/media/transport.js';
import type { SendVideoOptions, VideoChunk, VideoFrame, VideoSource } from '../../src/media/video-types.js';
import { vp8Frames } from '../support/frames.js';
import { createLink, type Side, ssrcsOf } from '../support/media-link.js';

let clock: VirtualClock;
let side: Side;
let engine: MediaEngine;
let sent: { readonly at: number; readonly packet: RtpPacketInit }[];
let announced: unknown[];
const OWN = ssrcsOf(0);

beforeEach(() => {
  clock = createVirtualClock();
  side = createLink(clock)[0];
  sent = [];
  announced = [];
  const { sendRtp, announceVideo } = side;
  side.sendRtp = (packet) => {
    sent.push({ at: clock.now(), packet });
    return sendRtp(packet);
  };
  side.announceVideo = (video) => {
    announced.push(video?.streams.map(({ ssrc, width, height, active }) => ({ ssrc, width, height, active })));
    announceVideo(video);
  };
  engine = createMediaEngine({ transport: side, random: () => 0.5 });
});

const hear = (...packets: RtcpPacket[]): void => {
  for (const listener of side.listeners) listener.onRtcp?.(packets, clock.now());
};
/** When frames went out: times of the packets with a marker. */
const times = (): number[] => sent.filter(({ packet }) => packet.marker).map(({ at }) => at);
/** Endless video of the real encoder's kind: a keyframe where it was asked for. */
function encoder(): { readonly frames: () => Generator<VideoFrame>; ask(): void; asked: number } {
  let wanted = true;
  const all = vp8Frames(31, 30);
  const made = {
    asked: 0,
    ask() {
      made.asked += 1;
      wanted = true;
    },
    *frames(): Generator<VideoFrame> {
      for (let n = 0; ; n += 1) {
        const frame = all[wanted ? 0 : 1 + (n % 29)] as VideoFrame;
        wanted = false;
        yield { ...frame, timestamp: Math.round((n * 1_000_000) / 30) };
      }
    },
  };
  return made;
}

describe('sendVideo', () => {
  it('tells others what is shown, with the size that the keyframe has, and that it has ended', async () => {
    const sender = engine.sendVideo({ codec: 'VP8', frames: vp8Frames(10) });
    await clock.advance(1_000);
    await sender.finished;
    expect(sender.codec).toBe('VP8');
    expect(sender.sentFrames).toBe(10);
    expect(announced.at(-1)).toBeUndefined();
    expect(announced.filter((one) => one !== undefined)).toContainEqual([
      { ssrc: OWN.video, width: 640, height: 360, active: true },
    ]);
  });

  it('keeps datagrams below 1,200 bytes, and large frames apart', async () => {
    const data = new Uint8Array(60_000).fill(7);
    data[0] = 0x10;
    engine.sendVideo({ codec: 'VP8', frames: [{ data, keyframe: true, timestamp: 0 }] });
    await clock.advance(500);
    expect(sent.length).toBe(54);
    expect(Math.max(...sent.map(({ packet }) => packet.payload.length))).toBeLessThanOrEqual(1_120);
    expect(sent.filter(({ at }) => at === sent[0]?.at).length).toBe(16);
    expect((sent.at(-1)?.at as number) - (sent[0]?.at as number)).toBeGreaterThanOrEqual(9);
    expect(new Set(sent.map(({ packet }) => packet.timestamp)).size).toBe(1);
  });

  it('takes WebCodecs chunks, and sends as they come if that is wanted', async () => {
    const chunks = vp8Frames(5).map(
      ({ data, keyframe, timestamp }): VideoChunk => ({
        type: keyframe ? 'key' : 'delta',
        timestamp,
        byteLength: data.length,
        copyTo: (destination) => destination.set(data),
      }),
    );
    engine.sendVideo({ codec: 'VP8', frames: chunks }, { pacing: 'arrival' });
    await clock.advance(100);
    expect(times().length).toBe(5);
    expect((times()[4] as number) - (times()[0] as number)).toBeLessThan(20);
  });

  it('goes on from now when a source falls behind, and when its timestamps jump', async () => {
    const frames = vp8Frames(6);
    async function* halting(): AsyncGenerator<VideoFrame> {
      yield frames[0] as VideoFrame;
      await new Promise((resolve) => clock.setTimer(() => resolve(undefined), 1_000));
      yield frames[1] as VideoFrame;
      yield frames[2] as VideoFrame;
      yield { ...(frames[3] as VideoFrame), timestamp: 9e12 };
      yield { ...(frames[4] as VideoFrame), timestamp: 9e12 + 40_000 };
    }
    engine.sendVideo({ codec: 'VP8', frames: halting() });
    await clock.advance(2_000);
    const gaps = times()
      .slice(1)
      .map((at, n) => Math.round(at - (times()[n] as number)));
    expect(gaps[0]).toBeGreaterThanOrEqual(995);
    expect(gaps[1]).toBeGreaterThanOrEqual(30);
    expect(gaps[1]).toBeLessThan(40);
    expect(gaps[2]).toBeLessThan(3);
    expect(gaps[3]).toBeGreaterThanOrEqual(39);
  });

  it('answers requests: lost packets on the stream of retransmissions, keyframes at most twice a second', async () => {
    const source = encoder();
    const sender = engine.sendVideo({ codec: 'VP8', frames: source.frames() }, { onKeyframeRequest: source.ask });
    await clock.advance(500);
    const lost = sent[3]?.packet as RtpPacketInit;
    const before = sent.length;
    const nack = {
      type: 'nack',
      senderSsrc: 1,
      mediaSsrc: OWN.video,
      sequenceNumbers: [lost.sequenceNumber, 12],
    } as const;
    hear(nack);
    hear(nack, { ...nack, mediaSsrc: 99 });
    expect(sent.length).toBe(before + 1);
    const again = sent.at(-1)?.packet as RtpPacketInit;
    expect([again.ssrc, again.payloadType, again.timestamp]).toEqual([OWN.rtx, 106, lost.timestamp]);
    expect([...again.payload.subarray(0, 2)]).toEqual([lost.sequenceNumber >> 8, lost.sequenceNumber & 0xff]);
    expect(again.payload.subarray(2)).toEqual(lost.payload);
    for (let n = 0; n < 10; n += 1) {
      hear({ type: 'pictureLossIndication', senderSsrc: 1, mediaSsrc: OWN.video });
      hear({
        type: 'fullIntraRequest',
        senderSsrc: 1,
        mediaSsrc: 0,
        requests: [{ ssrc: OWN.video, sequenceNumber: n }],
      });
      await clock.advance(100);
    }
    expect(source.asked).toBe(2);
    const [stats] = engine.stats().outbound.filter(({ kind }) => kind === 'video');
    expect(stats).toMatchObject({ retransmitted: 1, nacks: 4, keyframeRequests: 20, keyframes: 3 });
    sender.stop();
  });

  it('hints of what is wanted reach the source', async () => {
    const wanted: number[] = [];
    const source = encoder();
    const sender = engine.sendVideo(
      { codec: 'VP8', frames: source.frames() },
      { onWanted: (quality) => wanted.push(quality) },
    );
    await clock.advance(100);
    for (const listener of side.listeners) {
      listener.onSinkWants?.({ any: 100, ssrcs: {} });
      listener.onSinkWants?.({ any: 100, ssrcs: { [OWN.video]: 0 } });
      listener.onSinkWants?.({ ssrcs: { 5: 50 } });
    }
    expect(wanted).toEqual([100, 0]);
    sender.stop();
  });

  it('begins with a keyframe: at first, after a pause, in a new session, and after a frame that could not be encrypted', async () => {
    const source = encoder();
    const sender = engine.sendVideo({ codec: 'VP8', frames: source.frames() }, { onKeyframeRequest: source.ask });
    const isKey = ({ packet }: { packet: RtpPacketInit }): boolean => (packet.payload.at(4) as number) === 0x10;
    await clock.advance(1_000);
    sender.pause();
    expect(sender.state).toBe('paused');
    await clock.advance(300);
    let from = sent.length;
    await clock.advance(2_000);
    expect(sent.length).toBe(from);
    expect(announced.at(-1)).toBeUndefined();
    sender.resume();
    await clock.advance(1_000);
    expect(isKey(sent[from] as (typeof sent)[number])).toBe(true);
    const session = side.session as MediaSession;
    side.setSession(undefined);
    await clock.advance(1_000);
    from = sent.length;
    const ssrc = OWN.video + 50;
    side.setSession({ ...session, generation: 2, videoStreams: [{ ssrc, rtxSsrc: 0, rid: '100', quality: 100 }] });
    await clock.advance(1_000);
    expect(isKey(sent[from] as (typeof sent)[number])).toBe(true);
    expect(sent[from]?.packet.ssrc).toBe(ssrc);
    expect(announced.at(-1)).toMatchObject([{ ssrc }]);
    // Without a stream for retransmissions the packet itself is sent again.
    const last = sent.at(-1)?.packet as RtpPacketInit;
    hear({ type: 'nack', senderSsrc: 1, mediaSsrc: ssrc, sequenceNumbers: [last.sequenceNumber] });
    expect(sent.at(-1)?.packet).toBe(last);
    const { encryptFrame } = side;
    side.encryptFrame = () => undefined;
    from = sent.length;
    const { asked } = source;
    await clock.advance(3_000);
    expect(source.asked, 'a keyframe that cannot be encrypted is of no use').toBe(asked);
    side.encryptFrame = encryptFrame;
    // Nobody asks: who has come meanwhile has received nothing.
    await clock.advance(100);
    expect(source.asked).toBe(asked + 1);
    expect(isKey(sent[from] as (typeof sent)[number])).toBe(true);
    sender.stop();
    await sender.finished;
  });

  it('chooses the track that the call has agreed on, else says what is missing', async () => {
    const session = side.session as MediaSession;
    const tracks = (['VP8', 'H264'] as const).map((codec) => ({ codec, frames: vp8Frames(3) }));
    side.setSession({ ...session, videoCodec: 'H264' });
    const annexB = {
      codec: 'H264',
      frames: [{ data: Uint8Array.of(0, 0, 0, 1, 0x65, 1, 2), keyframe: true, timestamp: 0 }],
    } as const;
    const chosen = engine.sendVideo([...tracks.slice(0, 1), annexB]);
    await clock.advance(500);
    await chosen.finished;
    expect(sent[0]?.packet.payloadType).toBe(101);
    const failed = engine.sendVideo(tracks.slice(0, 1));
    await clock.advance(100);
    await expect(failed.finished).rejects.toMatchObject({ code: 'ERR_RTC_CODEC_UNAVAILABLE' });
    // The server leaves it to us: ours first.
    side.setSession({ ...session, generation: 3, videoCodec: undefined });
    const free = engine.sendVideo(tracks);
    await clock.advance(500);
    expect(free.codec).toBe('VP8');
  });

  it('waits for a session, and sends simulcast layers side by side', async () => {
    const session = side.session as MediaSession;
    side.setSession(undefined);
    const low = engine.sendVideo({ codec: 'VP8', frames: vp8Frames(30) }, { rid: '50' });
    const high = engine.sendVideo({ codec: 'VP8', frames: vp8Frames(30) }, { rid: '100' });
    await clock.advance(1_000);
    expect([low.state, high.state, sent.length]).toEqual(['waiting', 'waiting', 0]);
    side.setSession({
      ...session,
      generation: 2,
      videoStreams: [
        { ssrc: 71, rtxSsrc: 72, rid: '100', quality: 100 },
        { ssrc: 81, rtxSsrc: 82, rid: '50', quality: 50 },
      ],
    });
    await clock.advance(500);
    expect(new Set(sent.map(({ packet }) => packet.ssrc))).toEqual(new Set([71, 81]));
    expect(announced.at(-1)).toMatchObject([{ ssrc: 81 }, { ssrc: 71 }]);
    const replaced = engine.sendVideo({ codec: 'VP8', frames: vp8Frames(3) }, { rid: '50' });
    await expect(low.finished).rejects.toMatchObject({ code: 'ERR_RTC_SEND_ABORTED' });
    await clock.advance(3_000);
    await Promise.all([replaced.finished, high.finished]);
  });

  it('ends by signal, by its source, and by what is no source', async () => {
    const controller = new AbortController();
    const sender = engine.sendVideo({ codec: 'VP8', frames: encoder().frames() }, { signal: controller.signal });
    await clock.advance(100);
    controller.abort();
    await expect(sender.finished).rejects.toMatchObject({ code: 'ERR_RTC_SEND_ABORTED' });
    const wrong: readonly [VideoSource, string][] = [
      [{ codec: 'VP8', frames: [{} as VideoFrame] }, 'ERR_RTC_SOURCE_INVALID'],
      [{ open: async () => ({ codec: 'VP8', frames: 5 as never }) }, 'ERR_RTC_SOURCE_INVALID'],
      [
        {
          open: async () => {
            throw new Error('gone');
          },
        },
        'ERR_RTC_SOURCE_FAILED',
      ],
    ];
    for (const [source, code] of wrong) {
      const failing = engine.sendVideo(source);
      await clock.advance(50);
      await expect(failing.finished).rejects.toMatchObject({ code });
    }
    for (const source of [undefined, 5, {}, [], { codec: 'AV1', frames: [] }, { codec: 'VP8' }]) {
      expect(() => engine.sendVideo(source as never)).toThrow(
        expect.objectContaining({ code: 'ERR_RTC_SOURCE_INVALID' }),
      );
    }
    expect(() =>
      engine.sendVideo({ codec: 'VP8', frames: [] }, { pacing: 'soon' } as never as SendVideoOptions),
    ).toThrow(TypeError);
  });
});
