/**
 * Owns what one simulated person sends in one voice channel: voice and a picture as RTP, sender reports, retransmissions and
 * keyframes when they are asked for. Refuses to encode: frames come encoded.
 */
import type { Clock } from '@guildkit/core';
import {
  addSequence,
  buildRtcp,
  buildRtp,
  ntpFromUnixMs,
  opus,
  type RtcpPacket,
  type RtpPacketInit,
  toRtx,
  vp8,
} from '@guildkit/rtp';
import type { MediaServer } from '../io/media-server.js';
import { PAYLOAD_TYPES } from '../protocol/voice/codecs.js';
import type { VideoClaim } from '../protocol/voice/frames.js';
import type { RoomOutput, VoiceRoom } from '../protocol/voice/room.js';
import type { Seat } from '../protocol/voice/session-types.js';
import type { PersonDave } from './person-dave.js';
import { type FrameSource, type Playback, play } from './playback.js';
import { CLIP, TONE } from './test-media.js';

/** What a person's media are made with. */
export interface PersonMediaOptions {
  readonly clock: Clock;
  readonly userId: string;
  readonly seat: Seat;
  readonly room: VoiceRoom;
  readonly server: MediaServer;
  tell(outputs: readonly RoomOutput[]): void;
  /** Shows whether there is a picture. */
  showCamera(on: boolean): void;
}

/** Opus packets last that long. */
const OPUS_MS = 20;
const OPUS_SAMPLES = 960;
const VIDEO_CLOCK = 90_000;
/** Silence behind the last packet (Discord docs, Voice: Voice Data Interpolation). */
const SILENT_PACKETS = 5;
const MICROPHONE = 1;
const DEFAULT_FPS = 15;
/** Packets that a NACK may ask for: two seconds of the test picture and more. */
const KEPT_PACKETS = 512;
const REPORT_MS = 5_000;

interface Stream {
  readonly ssrc: number;
  sequence: number;
  timestamp: number;
  packets: number;
  octets: number;
  reportAt: number;
}

/** One person's media. */
export class PersonMedia {
  /** Set where DAVE is on. */
  dave: PersonDave | undefined;
  /** What they say now. */
  speaking: Playback | undefined;
  /** What they show now. */
  showing: Playback | undefined;
  private readonly audio: Stream;
  private readonly video: Stream;
  private readonly rtx: Stream;
  private readonly kept = new Map<number, RtpPacketInit>();
  private readonly playing = new Set<Playback>();
  private pictureId = 0;
  private keyframeWanted = false;

  constructor(private readonly options: PersonMediaOptions) {
    const [stream] = options.seat.streams;
    this.audio = newStream(options.seat.audioSsrc);
    this.video = newStream(stream?.ssrc ?? 0);
    this.rtx = newStream(stream?.rtxSsrc ?? 0);
    options.server.listen(options.room, options.userId, (packets) => this.onRtcp(packets));
  }

  /** Speaks: Opus packets of 20 ms, or a tone that goes on. Ends what was said before. */
  speak(packets: FrameSource = tone()): Playback {
    const { clock, room, userId } = this.options;
    this.speaking?.stop();
    this.options.tell(room.speaking(userId, MICROPHONE, 0));
    let first = true;
    const send = (packet: Uint8Array): void => {
      const payload = this.dave === undefined || opus.isSilence(packet) ? packet : this.dave.encrypt('audio', packet);
      const { payloadType } = PAYLOAD_TYPES.opus;
      this.send(this.audio, { payloadType, marker: first, payload });
      this.audio.timestamp = (this.audio.timestamp + OPUS_SAMPLES) >>> 0;
      first = false;
    };
    const playback = play({
      clock,
      frames: packets,
      intervalMs: OPUS_MS,
      // The announcement goes another way: clients drop what comes before it.
      leadMs: OPUS_MS,
      send,
      onEnd: () => {
        this.playing.delete(playback);
        if (this.speaking !== playback) return;
        for (let n = 0; n < SILENT_PACKETS; n += 1) send(opus.silence);
        this.options.tell(room.speaking(userId, 0, 0));
        this.speaking = undefined;
      },
    });
    this.speaking = playback;
    this.playing.add(playback);
    return playback;
  }

  /** Shows a picture: VP8 frames, or the test picture. Ends what was shown before. */
  show(frames: readonly Uint8Array[] | undefined, fps: number = DEFAULT_FPS): Playback {
    const { clock, room, userId, seat, showCamera } = this.options;
    this.showing?.stop();
    this.options.tell(room.video(userId, claimOf(seat, fps)));
    showCamera(true);
    const playback = play({
      clock,
      frames: this.picture(frames),
      intervalMs: 1_000 / fps,
      leadMs: OPUS_MS,
      send: (frame, index) => this.sendFrame(frame, index, fps),
      onEnd: () => {
        this.playing.delete(playback);
        if (this.showing !== playback) return;
        this.options.tell(room.video(userId, NO_VIDEO));
        showCamera(false);
        this.showing = undefined;
      },
    });
    this.showing = playback;
    this.playing.add(playback);
    return playback;
  }

  /** The person is gone. */
  end(): void {
    this.options.server.unlisten(this.options.room, this.options.userId);
    this.speaking = undefined;
    this.showing = undefined;
    for (const playback of this.playing) playback.stop();
  }

  /** Frames in order; from the first again when a keyframe is asked for. Those that were given end, the built-in ones go on. */
  private *picture(given: readonly Uint8Array[] | undefined): Generator<Uint8Array> {
    const frames = given ?? clip();
    this.keyframeWanted = false;
    for (let at = 0; given === undefined || at < frames.length; at += 1) {
      if (this.keyframeWanted && at % frames.length !== 0) at = 0;
      this.keyframeWanted = false;
      yield frames[at % frames.length] as Uint8Array;
    }
  }

  private sendFrame(frame: Uint8Array, index: number, fps: number): void {
    const { payloadType } = PAYLOAD_TYPES.VP8;
    this.video.timestamp = Math.round((index * VIDEO_CLOCK) / fps) >>> 0;
    const data = this.dave?.encrypt('video', frame) ?? frame;
    for (const { payload, marker } of vp8.packetize(data, { pictureId: this.pictureId })) {
      this.keep(this.send(this.video, { payloadType, marker, payload }));
    }
    this.pictureId = (this.pictureId + 1) & 0x7fff;
  }

  private send(stream: Stream, packet: Pick<RtpPacketInit, 'payloadType' | 'marker' | 'payload'>): RtpPacketInit {
    const { server, room, userId } = this.options;
    const { ssrc, sequence: sequenceNumber, timestamp } = stream;
    const init: RtpPacketInit = { ...packet, ssrc, sequenceNumber, timestamp };
    stream.sequence = addSequence(sequenceNumber, 1);
    stream.packets += 1;
    stream.octets = (stream.octets + packet.payload.length) >>> 0;
    server.inject(room, userId, buildRtp(init), ssrc);
    this.report(stream);
    return init;
  }

  /** A sender report with the first packet, and every five seconds. */
  private report(stream: Stream): void {
    const { clock, server, room, userId } = this.options;
    const now = clock.now();
    if (now < stream.reportAt) return;
    stream.reportAt = now + REPORT_MS;
    const report: RtcpPacket = {
      type: 'senderReport',
      ssrc: stream.ssrc,
      ntpTime: ntpFromUnixMs(clock.wallTime()),
      rtpTimestamp: stream.timestamp,
      packetCount: stream.packets,
      octetCount: stream.octets,
      reports: [],
    };
    server.injectRtcp(room, userId, buildRtcp(report));
  }

  private keep(packet: RtpPacketInit): void {
    this.kept.set(packet.sequenceNumber, packet);
    if (this.kept.size <= KEPT_PACKETS) return;
    const oldest = this.kept.keys().next().value;
    if (oldest !== undefined) this.kept.delete(oldest);
  }

  private onRtcp(packets: readonly RtcpPacket[]): void {
    const { server, room, userId } = this.options;
    for (const packet of packets) {
      if (packet.type === 'pictureLossIndication' || packet.type === 'fullIntraRequest') this.keyframeWanted = true;
      if (packet.type !== 'nack' || packet.mediaSsrc !== this.video.ssrc) continue;
      for (const sequenceNumber of packet.sequenceNumbers) {
        const lost = this.kept.get(sequenceNumber);
        if (lost === undefined) continue;
        const { ssrc, sequence } = this.rtx;
        this.rtx.sequence = addSequence(sequence, 1);
        const again = toRtx(lost, { ssrc, payloadType: PAYLOAD_TYPES.VP8.rtxPayloadType, sequenceNumber: sequence });
        server.inject(room, userId, buildRtp(again), ssrc);
      }
    }
  }
}

const NO_VIDEO: VideoClaim = { audioSsrc: 0, videoSsrc: 0, rtxSsrc: 0, streams: [] };

function claimOf({ audioSsrc, streams }: Seat, fps: number): VideoClaim {
  const [stream] = streams;
  if (stream === undefined) return NO_VIDEO;
  const { ssrc, rtxSsrc, type, rid } = stream;
  const limits = { maxBitrate: undefined, maxFramerate: Math.round(fps), maxResolution: undefined };
  return {
    audioSsrc,
    videoSsrc: ssrc,
    rtxSsrc,
    streams: [{ type, rid, quality: 100, ssrc, rtxSsrc, active: true, limits }],
  };
}

const newStream = (ssrc: number): Stream => ({
  ssrc,
  sequence: 0,
  timestamp: 0,
  packets: 0,
  octets: 0,
  reportAt: Number.NEGATIVE_INFINITY,
});

const decode = (frames: readonly string[]): readonly Uint8Array[] =>
  frames.map((frame) => new Uint8Array(Buffer.from(frame, 'base64')));

/** The built-in tone, on and on. */
function* tone(): Generator<Uint8Array> {
  const packets = decode(TONE);
  for (let at = 0; ; at += 1) yield packets[at % packets.length] as Uint8Array;
}

const clip = (): readonly Uint8Array[] => decode(CLIP);
