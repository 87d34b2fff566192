/**
 * Owns what the voice client wires to its media methods: one engine for one client, over all its sessions. It works on a
 * {@link MediaTransport} and knows no socket, key or gateway.
 */
import { check, resolveOptions, systemClock, type Unsubscribe } from '@guildkit/core';
import type { ReceptionReport, RtcpPacket, RtpPacket } from '@guildkit/rtp';
import { RtcError } from '../errors.js';
import type {
  AudioSender,
  AudioSource,
  MixedAudio,
  ReceiveAudioOptions,
  ReceivedAudio,
  SendAudioOptions,
} from './audio-types.js';
import type { OpusCodec } from './codec/opus-codec.js';
import { loadOpus } from './codec/opus-wasm.js';
import { AudioInput } from './io/audio-input.js';
import { AudioOutput } from './io/audio-output.js';
import { VideoInput } from './io/video-input.js';
import { VideoOutput } from './io/video-output.js';
import type { MediaStats } from './media-stats.js';
import { createSsrcTable, type TableChange } from './protocol/ssrc-table.js';
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

const DEFAULTS: Settings = { opusCodec: undefined, audioBitrate: 64_000, minJitterMs: 60, maxJitterMs: 100 };

interface Settings {
  readonly opusCodec: OpusCodec | undefined;
  readonly audioBitrate: number;
  readonly minJitterMs: number;
  readonly maxJitterMs: number;
}

/** Reports of each stream, about so often (RFC 3550 section 6.2), give or take half: not all at once. */
const REPORT_MS = 5_000;
/** Report blocks in one packet (RFC 3550 section 6.4.1). */
const MAX_REPORTS = 31;

/**
 * Makes the media of a client.
 *
 * @throws TypeError for an option that is out of range.
 */
export function createMediaEngine(init: MediaEngineInit): MediaEngine {
  const { transport, onTalk, onError = () => {}, random = Math.random, ...options } = init;
  const settings = resolveOptions('createMediaEngine', DEFAULTS, options, {
    audioBitrate: check.integer(6_000, 510_000),
    minJitterMs: check.number(0, 1_000),
    maxJitterMs: check.number(0, 1_000),
  });
  const { clock } = transport;
  const table = createSsrcTable<RtpPacket>();
  let reportTimer: unknown;
  let codec: Promise<OpusCodec> | undefined;

  const call = (listener: () => void): void => {
    try {
      listener();
    } catch (cause) {
      onError(new RtcError('ERR_RTC_LISTENER_FAILED', 'a listener of media threw', { cause }));
    }
  };
  const loadCodec = (): Promise<OpusCodec> => {
    if (codec === undefined) {
      codec = settings.opusCodec === undefined ? loadOpus() : Promise.resolve(settings.opusCodec);
      codec.catch(onError);
    }
    return codec;
  };

  const audioOutput = new AudioOutput({ transport, bitrate: settings.audioBitrate, random, loadCodec, onError });
  const videoOutput = new VideoOutput({ transport, random, onError });
  const audioInput = new AudioInput({
    transport,
    bounds: { minDelayMs: settings.minJitterMs, maxDelayMs: Math.max(settings.minJitterMs, settings.maxJitterMs) },
    // Only real time stands still.
    defer: clock === systemClock ? (work) => void setImmediate(work) : undefined,
    loadCodec,
    onTalk: ({ userId, ssrc }, talking) => {
      if (onTalk !== undefined) call(() => onTalk({ userId, ssrc, talking }));
    },
    call,
  });
  const videoInput = new VideoInput({ transport, roundTripMs: () => audioOutput.counter.roundTripMs, call });

  function onRtp(packet: RtpPacket, arrivedAt: number): void {
    const owner = table.ownerOf(packet.ssrc);
    if (owner === undefined) table.hold(packet, arrivedAt);
    else if (owner.kind === 'audio') audioInput.onRtp(packet, owner, arrivedAt);
    else videoInput.onRtp(packet, owner, arrivedAt);
  }

  function apply({ ended, known }: TableChange<RtpPacket>): void {
    for (const owner of ended) {
      if (owner.kind === 'audio') audioInput.onEnded(owner);
      else videoInput.onEnded(owner);
    }
    for (const { packet, arrivedAt } of known) onRtp(packet, arrivedAt);
  }

  function onRtcp(packet: RtcpPacket, arrivedAt: number): void {
    const wallTime = clock.wallTime();
    if (packet.type === 'senderReport') {
      const owner = table.ownerOf(packet.ssrc);
      if (owner?.kind === 'audio') audioInput.onSenderReport(packet, owner, arrivedAt);
      else if (owner !== undefined) videoInput.onSenderReport(packet, owner, arrivedAt);
    }
    if (packet.type === 'senderReport' || packet.type === 'receiverReport') {
      const block = packet.reports.find(({ ssrc }) => ssrc === transport.session?.audioSsrc);
      if (block !== undefined) audioOutput.counter.onReport(block, wallTime);
    }
    videoOutput.onRtcp(packet, wallTime);
  }

  function sendReports(): void {
    const { session } = transport;
    if (session === undefined) return;
    const now = clock.now();
    const wallTime = clock.wallTime();
    const blocks = [...audioInput.reports(now), ...videoInput.reports(now)];
    const compound: RtcpPacket[] = [];
    const take = (): ReceptionReport[] => blocks.splice(0, MAX_REPORTS);
    if (audioOutput.counter.packets > 0) {
      const timestamp = audioOutput.timestampAt(now);
      compound.push(audioOutput.counter.report(session.audioSsrc, timestamp, wallTime, take()));
    }
    for (const [sender, stream] of videoOutput.streams()) {
      const timestamp = sender.timestampAt(now);
      if (timestamp !== undefined) compound.push(sender.counter.report(stream.ssrc, timestamp, wallTime, []));
    }
    while (blocks.length > 0) compound.push({ type: 'receiverReport', ssrc: session.audioSsrc, reports: take() });
    if (compound.length > 0) transport.sendRtcp(compound);
  }

  function armReports(): void {
    clock.clearTimer(reportTimer);
    if (transport.session === undefined) return;
    reportTimer = clock.setTimer(
      () => {
        sendReports();
        armReports();
      },
      REPORT_MS * (0.5 + random()),
    );
  }

  const unlisten = transport.listen({
    onSession(session) {
      // SSRCs of another session mean nothing.
      apply(table.clear());
      if (session !== undefined) audioOutput.onSession();
      videoOutput.onSession(session);
      armReports();
    },
    onRtp,
    onRtcp(packets, arrivedAt) {
      for (const packet of packets) onRtcp(packet, arrivedAt);
    },
    onSpeaking: ({ userId, ssrc }) => apply(table.onSpeaking(userId, ssrc, clock.now())),
    onVideo(video) {
      apply(table.onVideo(video, clock.now()));
      for (const owner of table.streamsOf(video.userId)) if (owner.kind === 'video') videoInput.onOwner(owner);
    },
    onUserLeft: (userId) => apply(table.onUserLeft(userId)),
    onSinkWants: (wants) => videoOutput.onSinkWants(wants),
  });
  armReports();

  return {
    sendAudio: (source, sendOptions) => audioOutput.send(source, sendOptions),
    sendVideo: (source, sendOptions) => videoOutput.send(source, sendOptions),
    onAudio: (listener, receiveOptions) => audioInput.listen(listener, receiveOptions),
    onMixedAudio: (listener) => audioInput.listenMixed(listener),
    onVideo: (listener, receiveOptions) => videoInput.listen(listener, receiveOptions),
    requestKeyframe(userId) {
      videoInput.requestKeyframe(table.streamsOf(userId).filter(({ kind }) => kind === 'video'));
    },
    stats() {
      const now = clock.now();
      const { session } = transport;
      const outbound = videoOutput.streams().map(([sender, { ssrc }]) => sender.counter.stats(ssrc, sender.codec, now));
      if (session !== undefined) outbound.unshift(audioOutput.counter.stats(session.audioSsrc, 'opus', now));
      return {
        outbound,
        inbound: [...audioInput.stats(now), ...videoInput.stats(now)],
        unknownPackets: table.unknown,
      };
    },
    abortSenders(reason) {
      audioOutput.abort(reason);
      videoOutput.abort(reason);
    },
    close() {
      unlisten();
      clock.clearTimer(reportTimer);
      audioOutput.close();
      videoOutput.abort('the client was closed');
      audioInput.close();
      videoInput.close();
      table.clear();
    },
  };
}
