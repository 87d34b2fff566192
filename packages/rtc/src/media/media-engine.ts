/**
 * Owns what the voice client wires to its media methods: one engine for one client, over all its sessions. It works on a
 * {@link MediaTransport} and knows no socket, key or gateway.
 */
import type { Unsubscribe } from '@guildkit/core';
import type {
  AudioSender,
  AudioSource,
  MixedAudio,
  ReceiveAudioOptions,
  ReceivedAudio,
  SendAudioOptions,
} from './audio-types.js';
import type { OpusCodec } from './codec/opus-codec.js';
import type { MediaStats } from './media-stats.js';
import type { MediaTransport } from './transport.js';
import type { ReceivedVideo, ReceiveVideoOptions, SendVideoOptions, VideoSender, VideoSource } from './video-types.js';

/** Someone has begun or ceased to be heard. By what arrives, not by what opcode 5 says. */
export interface TalkEvent {
  readonly userId: string;
  readonly ssrc: number;
  readonly talking: boolean;
}

/** Settings of media; all may be given to the client. */
export interface MediaOptions {
  /** Encodes and decodes Opus. @defaultValue opusscript's WebAssembly, loaded when it is first needed */
  readonly opusCodec?: OpusCodec | undefined;
  /** Of Opus that is encoded here, bits a second. @defaultValue 64,000, what Discord's channels have */
  readonly audioBitrate?: number | undefined;
  /** Lower bound of the jitter buffer's delay. @defaultValue 60, three frames */
  readonly minJitterMs?: number | undefined;
  /** Upper bound of the jitter buffer's delay. @defaultValue 100: more is heard as delay */
  readonly maxJitterMs?: number | undefined;
}

/** What an engine is made of. */
export interface MediaEngineInit extends MediaOptions {
  readonly transport: MediaTransport;
  /** Called when someone begins or ceases to be heard. Only while there is a listener of audio. */
  readonly onTalk?: ((event: TalkEvent) => void) | undefined;
  /** A listener of media threw, or Opus cannot be loaded. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Gives numbers in `[0, 1)`. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined;
}

/** Media of one client. */
export interface MediaEngine {
  /** @throws RtcError `ERR_RTC_SOURCE_INVALID`; TypeError for a wrong option. */
  sendAudio(source: AudioSource, options?: SendAudioOptions): AudioSender;
  /** @throws RtcError `ERR_RTC_SOURCE_INVALID`; TypeError for a wrong option. */
  sendVideo(source: VideoSource, options?: SendVideoOptions): VideoSender;
  /** Calls back for each 20 ms of each user, in order and in time. */
  onAudio(listener: (frame: ReceivedAudio) => void, options?: ReceiveAudioOptions): Unsubscribe;
  /** Calls back every 20 ms with everyone's voice together. */
  onMixedAudio(listener: (frame: MixedAudio) => void): Unsubscribe;
  /** Calls back for each whole frame, in order. */
  onVideo(listener: (frame: ReceivedVideo) => void, options?: ReceiveVideoOptions): Unsubscribe;
  /** Asks a user for a keyframe (PLI). Repeats within half a second are not sent. */
  requestKeyframe(userId: string): void;
  stats(): MediaStats;
  /** Ends all senders with `ERR_RTC_SEND_ABORTED`, as when the client disconnects. The engine can go on being used. */
  abortSenders(reason: string): void;
  /** Ends everything. */
  close(): void;
}
