/**
 * Owns one source of video: opens it, chooses its track, sends each frame when its time has come, and answers what receivers
 * ask for. One frame is pulled at a time.
 */
import { check, messageOf, resolveOptions } from '@guildkit/core';
import { buildHeaderExtension, h264, type RtpPacketInit, type RtpPayload, toRtx, vp8, vp9 } from '@guildkit/rtp';
import { RtcError } from '../../errors.js';
import { isVideoCodec, VIDEO_PAYLOAD_TYPES, type VideoCodec } from '../../protocol/voice-codecs.js';
import type { SenderState } from '../audio-types.js';
import { createFrameSchedule } from '../protocol/frame-schedule.js';
import { createRateLimit } from '../protocol/keyframe-gate.js';
import { createSentPackets } from '../protocol/sent-packets.js';
import { type FrameSize, frameSizeOf } from '../protocol/video-header.js';
import type { LocalVideoStream, MediaSession, MediaTransport } from '../transport.js';
import type { SendVideoOptions, VideoChunk, VideoFrame, VideoSender, VideoSource, VideoTrack } from '../video-types.js';
import { aborted } from './audio-track.js';
import { isMediaInput, type Puller, pullFrom } from './media-input.js';
import { OutboundCounter } from './outbound-counter.js';
import { createSettled } from './settled.js';

type Settings = {
  readonly [K in keyof SendVideoOptions]-?: K extends 'pacing' | 'maxBitrate' | 'maxFramerate'
    ? NonNullable<SendVideoOptions[K]>
    : SendVideoOptions[K] | undefined;
};

const DEFAULTS: Settings = {
  signal: undefined,
  pacing: 'timestamps',
  onKeyframeRequest: undefined,
  onWanted: undefined,
  rid: undefined,
  maxBitrate: 2_500_000,
  maxFramerate: 30,
};

const TICKS_PER_MS = 90;
/** An encoder needs time, and every receiver may ask. */
const KEYFRAME_INTERVAL_MS = 500;
/** A keyframe of 1080p is a hundred packets: at once they would overflow buffers on the way. 16 in 4 ms are 38 Mbit/s. */
const BURST_PACKETS = 16;
const BURST_MS = 4;
/** Platform timers have whole milliseconds: half of one too early is nearer than half of one too late. */
const EARLY_MS = 0.5;
/** The last packets may be lost, too: so long they can be asked for. */
const LINGER_MS = 250;
const DEFAULT_SIZE: FrameSize = { width: 1_280, height: 720 };
const FORMATS = { VP8: vp8, VP9: vp9, H264: h264 } as const;

/** What a track needs of its output. */
export interface VideoTrackHost {
  readonly transport: MediaTransport;
  readonly random: () => number;
  /** What is announced has changed. */
  onChange(): void;
  onError(error: unknown): void;
}

/** One source and its sender. */
export class VideoTrackSender implements VideoSender {
  readonly finished: Promise<void>;
  readonly settings: Settings;
  readonly counter = new OutboundCounter('video', TICKS_PER_MS * 1_000);
  codec: VideoCodec | undefined;
  size: FrameSize = DEFAULT_SIZE;
  sentFrames = 0;

  private readonly settled = createSettled();
  private readonly controller = new AbortController();
  private readonly sent = createSentPackets();
  private readonly schedule = createFrameSchedule();
  private readonly keyframeLimit = createRateLimit(KEYFRAME_INTERVAL_MS);
  private phase: SenderState = 'waiting';
  private puller: Puller<VideoFrame | VideoChunk> | undefined;
  private wake: (() => void) | undefined;
  private timer: unknown;
  /** Receivers can decode nothing before the next keyframe. */
  private needsKeyframe = true;
  private sequenceNumber: number;
  private rtxSequenceNumber: number;
  private pictureId: number;
  private readonly timestampBase: number;
  private lastSent: { readonly timestamp: number; readonly at: number } | undefined;
  private generation: number | undefined;
  private readonly onAbort = (): void => this.end(aborted('the signal fired', this.settings.signal?.reason));

  /** @throws RtcError `ERR_RTC_SOURCE_INVALID`; TypeError for an option. */
  constructor(
    private readonly source: VideoSource,
    options: SendVideoOptions | undefined,
    private readonly host: VideoTrackHost,
  ) {
    this.settings = resolveOptions('sendVideo', DEFAULTS, options, {
      pacing: check.oneOf('timestamps', 'arrival'),
      onKeyframeRequest: check.optional(check.function()),
      onWanted: check.optional(check.function()),
      maxBitrate: check.integer(1),
      maxFramerate: check.number(0.1, 1_000),
    });
    this.finished = this.settled.promise;
    if (!isDeferred(source)) readTracks(source);
    const { random } = host;
    this.sequenceNumber = Math.floor(random() * 2 ** 16);
    this.rtxSequenceNumber = Math.floor(random() * 2 ** 16);
    this.pictureId = Math.floor(random() * 2 ** 15);
    this.timestampBase = Math.floor(random() * 2 ** 32);
    const { signal } = this.settings;
    if (signal?.aborted === true) {
      this.end(aborted('the signal had fired before', signal.reason));
      return;
    }
    signal?.addEventListener('abort', this.onAbort, { once: true });
    void this.run();
  }

  get state(): SenderState {
    return this.phase;
  }

  /** The server's stream that it is sent on. */
  streamOf(session: MediaSession): LocalVideoStream | undefined {
    const { rid } = this.settings;
    return rid === undefined ? session.videoStreams[0] : session.videoStreams.find((stream) => stream.rid === rid);
  }

  pause(): void {
    if (this.phase === 'ended') return;
    this.phase = 'paused';
    this.host.onChange();
  }

  resume(): void {
    if (this.phase !== 'paused') return;
    this.phase = this.sentFrames > 0 ? 'sending' : 'waiting';
    this.needsKeyframe = true;
    this.schedule.reset();
    this.askForKeyframe();
    this.wake?.();
    this.host.onChange();
  }

  stop(): void {
    this.end(undefined);
  }

  end(error: RtcError | undefined): void {
    if (this.phase === 'ended') return;
    this.phase = 'ended';
    this.settings.signal?.removeEventListener('abort', this.onAbort);
    this.controller.abort();
    this.puller?.close();
    this.host.transport.clock.clearTimer(this.timer);
    this.wake?.();
    if (error === undefined) this.settled.resolve();
    else this.settled.reject(error);
    this.host.onChange();
  }

  /** The session has come, gone or changed. */
  onSession(session: MediaSession | undefined): void {
    if (session !== undefined && session.generation !== this.generation) {
      this.generation = session.generation;
      this.needsKeyframe = true;
      if (this.sentFrames > 0) this.askForKeyframe();
    }
    this.wake?.();
  }

  /** Receivers have lost packets. */
  onNack(sequenceNumbers: readonly number[], stream: LocalVideoStream): void {
    const { transport } = this.host;
    const { codec } = this;
    this.counter.nacks += sequenceNumbers.length;
    if (codec === undefined) return;
    for (const sequenceNumber of sequenceNumbers) {
      const packet = this.sent.take(sequenceNumber, transport.clock.now());
      if (packet === undefined || packet.ssrc !== stream.ssrc) continue;
      this.counter.retransmitted += 1;
      if (stream.rtxSsrc === 0) {
        transport.sendRtp(packet);
        continue;
      }
      const payloadType = VIDEO_PAYLOAD_TYPES[codec].rtxPayloadType;
      transport.sendRtp(toRtx(packet, { ssrc: stream.rtxSsrc, payloadType, sequenceNumber: this.rtxSequenceNumber }));
      this.rtxSequenceNumber = (this.rtxSequenceNumber + 1) & 0xffff;
    }
  }

  /** A receiver needs a keyframe. */
  onKeyframeRequest(): void {
    this.counter.keyframeRequests += 1;
    this.askForKeyframe();
  }

  /** The timestamp of this instant: for sender reports. `undefined` before the first frame. */
  timestampAt(now: number): number | undefined {
    if (this.lastSent === undefined) return undefined;
    return (this.lastSent.timestamp + Math.round((now - this.lastSent.at) * TICKS_PER_MS)) >>> 0;
  }

  private askForKeyframe(): void {
    const { onKeyframeRequest } = this.settings;
    if (onKeyframeRequest === undefined || !this.keyframeLimit.take(this.host.transport.clock.now())) return;
    this.call(onKeyframeRequest);
  }

  /** Calls what a user gave. */
  call(callback: () => void): void {
    try {
      callback();
    } catch (cause) {
      this.host.onError(new RtcError('ERR_RTC_LISTENER_FAILED', 'a callback of sendVideo() threw', { cause }));
    }
  }

  private async run(): Promise<void> {
    try {
      const { source } = this;
      const opened = isDeferred(source) ? await source.open(this.controller.signal) : source;
      const tracks = readTracks(opened);
      const track = await this.chooseTrack(tracks);
      if (track === undefined) {
        for (const { frames } of tracks) pullFrom(frames).close();
        return;
      }
      if (track.width !== undefined && track.height !== undefined) {
        this.size = { width: track.width, height: track.height };
      }
      this.puller = pullFrom(track.frames);
      while (!this.hasEnded) {
        const item = await this.puller.next();
        if (item === undefined || this.hasEnded) break;
        await this.sendInTime(readFrame(item));
      }
      const until = this.host.transport.clock.now() + LINGER_MS;
      while (!this.hasEnded && this.sentFrames > 0 && this.host.transport.clock.now() < until)
        await this.sleep(LINGER_MS);
      this.end(undefined);
    } catch (cause) {
      this.end(
        RtcError.is(cause)
          ? cause
          : new RtcError('ERR_RTC_SOURCE_FAILED', `the source threw: ${messageOf(cause)}`, { cause }),
      );
    } finally {
      if (this.hasEnded) this.puller?.close();
    }
  }

  private get isPaused(): boolean {
    return this.phase === 'paused';
  }

  private get hasEnded(): boolean {
    return this.phase === 'ended';
  }

  /** Waits for a session, which says what the others can decode. */
  private async chooseTrack(tracks: readonly VideoTrack[]): Promise<VideoTrack | undefined> {
    const { transport } = this.host;
    while (transport.session === undefined && !this.hasEnded) await this.sleep(undefined);
    const { session } = transport;
    if (session === undefined || this.hasEnded) return undefined;
    // A server that names no codec leaves it to us; our order is the order of the tracks.
    const wanted = session.videoCodec;
    const track = wanted === undefined ? tracks[0] : tracks.find(({ codec }) => codec === wanted);
    if (track === undefined) {
      const offered = tracks.map(({ codec }) => codec).join(', ');
      throw new RtcError('ERR_RTC_CODEC_UNAVAILABLE', `the call uses ${wanted}, the source has ${offered}`);
    }
    this.codec = track.codec;
    this.generation = session.generation;
    return track;
  }

  private async sendInTime(frame: VideoFrame): Promise<void> {
    const { transport } = this.host;
    let session = transport.session;
    // What it waits for may be gone again when the frame's time has come.
    do {
      while (this.isPaused || (transport.session === undefined && !this.hasEnded)) await this.sleep(undefined);
      if (this.settings.pacing === 'timestamps') await this.untilDue(frame.timestamp);
      if (this.hasEnded) return;
      session = transport.session;
    } while (this.isPaused || session === undefined);
    await this.send(frame, session);
  }

  private async untilDue(timestamp: number): Promise<void> {
    const { clock } = this.host.transport;
    const due = this.schedule.dueAt(timestamp, clock.now());
    while (!this.hasEnded && due - clock.now() > EARLY_MS) await this.sleep(due - clock.now());
  }

  private async send(frame: VideoFrame, session: MediaSession): Promise<void> {
    const { transport } = this.host;
    const codec = this.codec as VideoCodec;
    const stream = this.streamOf(session);
    if (stream === undefined || (session.videoCodec !== undefined && session.videoCodec !== codec)) {
      this.counter.dropped += 1;
      return;
    }
    if (frame.keyframe) this.learnSize(codec, frame.data);
    if (this.phase === 'waiting') {
      this.phase = 'sending';
      this.host.onChange();
    }
    if (this.needsKeyframe && !frame.keyframe) {
      this.counter.dropped += 1;
      // Nobody who receives can ask: they have had nothing yet. Before it can be encrypted a keyframe would be lost, too.
      if (transport.encryptFrame(codec, frame.data) !== undefined) this.askForKeyframe();
      return;
    }
    const encrypted = transport.encryptFrame(codec, frame.data);
    if (encrypted === undefined) {
      // What comes after could not be decoded without it.
      this.needsKeyframe = true;
      this.counter.dropped += 1;
      return;
    }
    this.needsKeyframe = false;
    await this.transmit(this.packetize(codec, encrypted, frame.keyframe), stream.ssrc, codec);
    this.sentFrames += 1;
    this.counter.frames += 1;
    if (frame.keyframe) this.counter.keyframes += 1;
  }

  private learnSize(codec: VideoCodec, data: Uint8Array): void {
    const size = frameSizeOf(codec, data);
    if (size === undefined || (size.width === this.size.width && size.height === this.size.height)) return;
    this.size = size;
    if (this.phase === 'sending') this.host.onChange();
  }

  private packetize(codec: VideoCodec, frame: Uint8Array, keyframe: boolean): readonly RtpPayload[] {
    if (codec === 'H264') return FORMATS.H264.packetize(frame);
    const pictureId = this.pictureId;
    this.pictureId = (pictureId + 1) & 0x7fff;
    return codec === 'VP8'
      ? FORMATS.VP8.packetize(frame, { pictureId })
      : FORMATS.VP9.packetize(frame, { pictureId, keyframe });
  }

  private async transmit(payloads: readonly RtpPayload[], ssrc: number, codec: VideoCodec): Promise<void> {
    const { transport } = this.host;
    const { clock } = transport;
    const at = clock.now();
    const timestamp = (this.timestampBase + Math.round(at * TICKS_PER_MS)) >>> 0;
    this.lastSent = { timestamp, at };
    const { payloadType } = VIDEO_PAYLOAD_TYPES[codec];
    const { playoutDelay } = transport.headerExtensions;
    // Both bounds 0: shown as soon as it is decoded.
    const extension =
      playoutDelay === undefined ? undefined : buildHeaderExtension([{ id: playoutDelay, data: new Uint8Array(3) }]);
    for (const [n, { payload, marker }] of payloads.entries()) {
      if (n > 0 && n % BURST_PACKETS === 0) {
        await this.sleep(BURST_MS);
        if (this.hasEnded) return;
      }
      const { sequenceNumber } = this;
      this.sequenceNumber = (sequenceNumber + 1) & 0xffff;
      const packet: RtpPacketInit = {
        payloadType,
        ssrc,
        sequenceNumber,
        timestamp,
        marker,
        payload,
        ...(extension !== undefined && { extension }),
      };
      this.sent.add(packet);
      if (transport.sendRtp(packet)) this.counter.count(payload.length, clock.now());
    }
  }

  /** Until `ms` have passed, or something has changed. */
  private sleep(ms: number | undefined): Promise<void> {
    const { clock } = this.host.transport;
    return new Promise((resolve) => {
      const done = (): void => {
        clock.clearTimer(this.timer);
        this.wake = undefined;
        resolve();
      };
      this.wake = done;
      if (ms !== undefined) this.timer = clock.setTimer(done, Math.max(0, Math.ceil(ms - EARLY_MS)));
    });
  }
}

const isDeferred = (source: VideoSource): source is Extract<VideoSource, { open: unknown }> =>
  typeof (source as { open?: unknown } | null)?.open === 'function';

/** @throws RtcError `ERR_RTC_SOURCE_INVALID` */
function readTracks(source: VideoTrack | readonly VideoTrack[]): readonly VideoTrack[] {
  const tracks = Array.isArray(source) ? (source as readonly VideoTrack[]) : [source as VideoTrack];
  const areSound = tracks.every((track) => isVideoCodec(track?.codec) && isMediaInput(track.frames));
  if (tracks.length > 0 && areSound) return tracks;
  throw new RtcError('ERR_RTC_SOURCE_INVALID', 'not { codec, frames } with a codec of VP8, VP9, H264');
}

/** @throws RtcError `ERR_RTC_SOURCE_INVALID` */
function readFrame(item: VideoFrame | VideoChunk): VideoFrame {
  if (typeof item === 'object' && item !== null && Number.isFinite(item.timestamp)) {
    if ('data' in item && item.data instanceof Uint8Array && item.data.length > 0) return item;
    if ('copyTo' in item && typeof item.copyTo === 'function' && item.byteLength > 0) {
      const data = new Uint8Array(item.byteLength);
      item.copyTo(data);
      return { data, keyframe: item.type === 'key', timestamp: item.timestamp };
    }
  }
  throw new RtcError('ERR_RTC_SOURCE_INVALID', 'an item is no encoded frame: { data, keyframe, timestamp } or a chunk');
}
