/** Owns received audio: a stream for each user, played every 20 ms to who listens, apart or mixed. */
import { check, resolveOptions, type Unsubscribe } from '@guildkit/core';
import type { ReceptionReport, RtpPacket, SenderReport } from '@guildkit/rtp';
import { opus as opusFormat } from '@guildkit/rtp';
import type { MixedAudio, ReceiveAudioOptions, ReceivedAudio } from '../audio-types.js';
import { FRAME_SAMPLES, type OpusCodec } from '../codec/opus-codec.js';
import type { InboundStats } from '../media-stats.js';
import { createFrameCutter, type FrameCutter, fromInt16, mix, toInt16 } from '../protocol/pcm.js';
import type { DelayBounds } from '../protocol/playout-delay.js';
import type { StreamOwner } from '../protocol/ssrc-table.js';
import type { MediaTransport } from '../transport.js';
import { AudioStream, type PlayedAudio } from './audio-stream.js';
import { createTicker } from './ticker.js';

const FRAME_MS = 20;
/** Standing still longer, frames would come in a burst that nobody can play. */
const MAX_CATCH_UP = 5;
/** A user's sound that waits for the mixer: more than a packet can hold. */
const MAX_MIX_SAMPLES = 10 * FRAME_SAMPLES * 2;

/** What an input is made of. */
export interface AudioInputInit {
  readonly transport: MediaTransport;
  readonly bounds: DelayBounds;
  /** Lets packets that have come be read first: after the process stood still, they are there and not yet seen. */
  readonly defer: ((work: () => void) => void) | undefined;
  loadCodec(): Promise<OpusCodec>;
  onTalk(owner: StreamOwner, talking: boolean): void;
  /** Calls a listener; what it throws is caught. */
  call(listener: () => void): void;
}

interface Listener {
  readonly callback: (frame: ReceivedAudio) => void;
  readonly userId: string | undefined;
  readonly format: 'opus' | 'pcm';
  readonly channels: 1 | 2;
}

type Settings = Omit<Listener, 'callback'>;
const DEFAULTS: Settings = { userId: undefined, format: 'opus', channels: 2 };

/** Receives the audio of one client. */
export class AudioInput {
  private readonly streams = new Map<number, AudioStream>();
  private readonly listeners = new Set<Listener>();
  private readonly mixers = new Set<(frame: MixedAudio) => void>();
  /** Sound for the mixer, by SSRC. */
  private readonly cutters = new Map<number, FrameCutter>();
  private readonly ticker;
  private codec: OpusCodec | undefined;

  constructor(private readonly init: AudioInputInit) {
    this.ticker = createTicker({
      clock: init.transport.clock,
      intervalMs: FRAME_MS,
      maxCatchUp: MAX_CATCH_UP,
      onTick: (at) => this.tick(at),
      defer: init.defer,
    });
  }

  listen(callback: (frame: ReceivedAudio) => void, options: ReceiveAudioOptions | undefined): Unsubscribe {
    const settings = resolveOptions('onAudio', DEFAULTS, options, {
      userId: check.optional(check.text()),
      format: check.oneOf('opus', 'pcm'),
      channels: (value) => (value === 1 || value === 2 ? undefined : 'must be 1 or 2'),
    });
    const listener = { callback, ...settings };
    this.listeners.add(listener);
    if (settings.format === 'pcm') this.load();
    return () => {
      this.listeners.delete(listener);
    };
  }

  listenMixed(callback: (frame: MixedAudio) => void): Unsubscribe {
    // One of its own: a function may be given twice.
    const listener = (frame: MixedAudio): void => callback(frame);
    this.mixers.add(listener);
    this.load();
    this.ticker.start();
    return () => {
      this.mixers.delete(listener);
      if (this.mixers.size === 0) this.cutters.clear();
    };
  }

  onRtp(packet: RtpPacket, owner: StreamOwner, arrivedAt: number): void {
    let stream = this.streams.get(owner.ssrc);
    if (stream === undefined) {
      stream = new AudioStream(owner, this.init.transport, this.init.bounds);
      this.streams.set(owner.ssrc, stream);
    }
    stream.receive(packet, arrivedAt, this.isWanted);
    if (stream.isActive) this.ticker.start();
  }

  onSenderReport(report: SenderReport, owner: StreamOwner, arrivedAt: number): void {
    this.streams.get(owner.ssrc)?.reception.onSenderReport(report.ntpTime, report.rtpTimestamp, arrivedAt);
  }

  onEnded(owner: StreamOwner): void {
    const stream = this.streams.get(owner.ssrc);
    if (stream === undefined) return;
    this.streams.delete(owner.ssrc);
    this.cutters.delete(owner.ssrc);
    if (stream.talk.hear('nothing')) this.init.onTalk(owner, false);
    stream.close();
  }

  reports(now: number): ReceptionReport[] {
    return [...this.streams.values()].flatMap(({ owner, reception }) => reception.report(owner.ssrc, now) ?? []);
  }

  stats(now: number): InboundStats[] {
    return [...this.streams.values()].map((stream) => stream.stats(now));
  }

  clear(): void {
    for (const { owner } of [...this.streams.values()]) this.onEnded(owner);
  }

  close(): void {
    this.clear();
    this.listeners.clear();
    this.mixers.clear();
    this.ticker.stop();
  }

  private get isWanted(): boolean {
    return this.listeners.size > 0 || this.mixers.size > 0;
  }

  private load(): void {
    this.init.loadCodec().then(
      (codec) => {
        this.codec = codec;
      },
      // Told by the engine. PCM listeners hear nothing then.
      () => {},
    );
  }

  private tick(at: number): void {
    for (const stream of [...this.streams.values()]) {
      let played = stream.play(at);
      if (played === undefined && !stream.isActive) this.hear(stream, undefined);
      for (; played !== undefined; played = stream.play(at)) {
        this.hear(stream, played);
        this.deliver(stream, played);
      }
    }
    if (this.mixers.size > 0) this.mixTick();
    else if ([...this.streams.values()].every(({ isActive, talk }) => !isActive && !talk.talking)) this.ticker.stop();
  }

  private hear({ owner, talk }: AudioStream, played: PlayedAudio | undefined): void {
    const opus = played?.frame.opus;
    // What is made up says nothing.
    if (played !== undefined && opus === undefined) return;
    const heard = opus === undefined ? 'nothing' : opusFormat.isSilence(opus) ? 'silence' : 'sound';
    if (talk.hear(heard)) this.init.onTalk(owner, talk.talking);
  }

  private deliver(stream: AudioStream, played: PlayedAudio): void {
    const { frame } = played;
    for (const listener of [...this.listeners]) {
      const { callback, userId, format, channels } = listener;
      if (userId !== undefined && userId !== frame.userId) continue;
      if (format === 'opus') {
        this.init.call(() => callback(frame));
      } else if (this.codec !== undefined) {
        const pcm = played.pcm(channels, this.codec);
        this.init.call(() => callback({ ...frame, pcm, channels }));
      }
    }
    if (this.mixers.size === 0 || this.codec === undefined) return;
    let cutter = this.cutters.get(stream.owner.ssrc);
    if (cutter === undefined || cutter.length > MAX_MIX_SAMPLES) {
      cutter = createFrameCutter(FRAME_SAMPLES * 2);
      this.cutters.set(stream.owner.ssrc, cutter);
    }
    cutter.push(fromInt16(played.pcm(2, this.codec)));
  }

  private mixTick(): void {
    const sounds: Float32Array[] = [];
    const userIds: string[] = [];
    for (const [ssrc, cutter] of this.cutters) {
      const stream = this.streams.get(ssrc);
      const sound = cutter.take(stream === undefined || !stream.isActive);
      if (sound === undefined) continue;
      sounds.push(sound);
      if (stream !== undefined) userIds.push(stream.owner.userId);
    }
    const pcm = toInt16(mix(sounds, FRAME_SAMPLES * 2));
    for (const listener of [...this.mixers]) this.init.call(() => listener({ pcm, userIds }));
  }
}
