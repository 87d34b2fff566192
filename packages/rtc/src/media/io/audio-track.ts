/**
 * Owns one source of audio: opens it, pulls what is needed for the next 100 ms and no more, and hands out packets as they are
 * or frames of PCM. When they are sent is the output's affair.
 */
import { check, messageOf, resolveOptions } from '@guildkit/core';
import { opus as opusFormat } from '@guildkit/rtp';
import { RtcError } from '../../errors.js';
import type {
  AudioSender,
  AudioSource,
  DeferredSource,
  OpusSource,
  PcmSource,
  SendAudioOptions,
  SenderState,
} from '../audio-types.js';
import { FRAME_SAMPLES, OPUS_RATE, type OpusCodec, type OpusDecoder } from '../codec/opus-codec.js';
import { createFrameCutter, createPcmReader, type FrameCutter, fromInt16, scale } from '../protocol/pcm.js';
import { createResampler } from '../protocol/resampler.js';
import { isMediaInput, type Puller, pullFrom } from './media-input.js';
import { createSettled } from './settled.js';

/** So much is pulled ahead. */
const AHEAD_SAMPLES = 5 * FRAME_SAMPLES;
/** A single array is cut into pieces of 100 ms. */
const PIECE_MS = 100;

type Settings = { [K in Exclude<keyof SendAudioOptions, 'signal'>]-?: NonNullable<SendAudioOptions[K]> } & {
  readonly signal: AbortSignal | undefined;
};

const DEFAULTS: Settings = {
  signal: undefined,
  whenBusy: 'queue',
  volume: 1,
  speaking: 'microphone',
  priority: false,
};

const MAX_VOLUME = 4;
const volumeCheck = check.number(0, MAX_VOLUME);

/** Checks options of `sendAudio`. @throws TypeError */
export const audioOptions = (options: SendAudioOptions | undefined): Settings =>
  resolveOptions('sendAudio', DEFAULTS, options, {
    whenBusy: check.oneOf('queue', 'mix', 'replace'),
    volume: volumeCheck,
    speaking: check.oneOf('microphone', 'soundshare'),
    priority: check.boolean(),
  });

/** What a track needs of its output. */
export interface TrackHost {
  codec(): Promise<OpusCodec>;
  /** Something can be taken, or all was: look again. */
  onChange(track: AudioTrack): void;
}

/** 20 ms of PCM. */
export interface PcmFrame {
  readonly samples: Float32Array;
  readonly channels: 1 | 2;
}

/** One source and its sender. */
export class AudioTrack implements AudioSender {
  readonly finished: Promise<void>;
  readonly settings: Settings;
  sentMs = 0;

  private readonly settled = createSettled();
  private readonly controller = new AbortController();
  private phase: SenderState = 'waiting';
  private level: number;
  private kind: 'opus' | 'pcm' | undefined;
  private puller: Puller<unknown> | undefined;
  private packets: Uint8Array[] = [];
  private packetSamples = 0;
  private cutter: FrameCutter | undefined;
  private channels: 1 | 2 = 2;
  private decoder: OpusDecoder | undefined;
  private sourceEnded = false;
  private started = false;
  private wake: (() => void) | undefined;
  private readonly onAbort = (): void => this.end(aborted('the signal fired', this.settings.signal?.reason));

  /** @throws RtcError `ERR_RTC_SOURCE_INVALID`; TypeError for an option. */
  constructor(
    private readonly source: AudioSource,
    options: SendAudioOptions | undefined,
    private readonly host: TrackHost,
  ) {
    this.settings = audioOptions(options);
    this.level = this.settings.volume;
    this.finished = this.settled.promise;
    if (!isDeferred(source)) readSource(source);
    const { signal } = this.settings;
    if (signal?.aborted === true) this.end(aborted('the signal had fired before', signal.reason));
    else signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  get state(): SenderState {
    return this.phase;
  }

  get volume(): number {
    return this.level;
  }

  set volume(value: number) {
    const problem = volumeCheck(value);
    if (problem !== undefined) throw new TypeError(`volume ${problem}`);
    this.level = value;
  }

  /** Packets can be sent as they are. */
  get passesThrough(): boolean {
    return this.kind === 'opus' && this.level === 1 && this.decoder === undefined;
  }

  /** All of the source was taken. */
  get isDrained(): boolean {
    return this.sourceEnded && this.packets.length === 0 && (this.cutter?.length ?? 0) === 0;
  }

  pause(): void {
    if (this.phase === 'ended') return;
    this.phase = 'paused';
  }

  resume(): void {
    if (this.phase !== 'paused') return;
    this.phase = this.started ? 'sending' : 'waiting';
    this.host.onChange(this);
  }

  stop(): void {
    this.end(undefined);
  }

  /** Begins to pull, so that it can play. */
  open(): void {
    if (this.started || this.phase === 'ended') return;
    this.started = true;
    void this.pump();
  }

  /** It plays now. */
  play(): void {
    this.open();
    if (this.phase === 'waiting') this.phase = 'sending';
  }

  /** The next packet as it is. */
  takePacket(): { readonly packet: Uint8Array; readonly samples: number } | undefined {
    const packet = this.packets.shift();
    if (packet === undefined) return undefined;
    const samples = opusFormat.samplesOf(packet) as number;
    this.packetSamples -= samples;
    this.took(samples);
    return { packet, samples };
  }

  /** The next 20 ms as PCM, at its volume. Opus packets are decoded. */
  takePcm(codec: OpusCodec | undefined): PcmFrame | undefined {
    if (this.kind === 'opus') {
      if (codec === undefined) return undefined;
      this.decodeFor(codec);
    }
    const frame = this.cutter?.take(this.sourceEnded && this.packets.length === 0);
    if (frame === undefined) return undefined;
    scale(frame, this.level);
    this.took(FRAME_SAMPLES);
    return { samples: frame, channels: this.channels };
  }

  /** Ends it. Without an error it has finished. */
  end(error: RtcError | undefined): void {
    if (this.phase === 'ended') return;
    this.phase = 'ended';
    this.settings.signal?.removeEventListener('abort', this.onAbort);
    this.controller.abort();
    this.puller?.close();
    this.decoder?.free();
    this.packets = [];
    this.wake?.();
    if (error === undefined) this.settled.resolve();
    else this.settled.reject(error);
    this.host.onChange(this);
  }

  private took(samples: number): void {
    this.sentMs += samples / (OPUS_RATE / 1_000);
    this.wake?.();
  }

  private decodeFor(codec: OpusCodec): void {
    this.decoder ??= codec.createDecoder({ channels: 2 });
    this.cutter ??= createFrameCutter(FRAME_SAMPLES * 2);
    while (this.cutter.length < FRAME_SAMPLES * 2) {
      const packet = this.packets.shift();
      if (packet === undefined) return;
      const samples = opusFormat.samplesOf(packet) as number;
      this.packetSamples -= samples;
      this.cutter.push(fromInt16(this.decoder.decode(packet) ?? this.decoder.conceal(samples)));
    }
  }

  private get hasEnded(): boolean {
    return this.phase === 'ended';
  }

  private get needsMore(): boolean {
    const pcm = (this.cutter?.length ?? 0) / this.channels;
    return this.packetSamples + pcm < AHEAD_SAMPLES;
  }

  private async pump(): Promise<void> {
    try {
      const { source } = this;
      const opened = isDeferred(source) ? await source.open(this.controller.signal) : source;
      const { input, take, flush } = this.reader(readSource(opened));
      this.puller = pullFrom<unknown>(input);
      if (this.kind === 'pcm' && !this.hasEnded) await this.host.codec();
      while (!this.hasEnded) {
        if (!this.needsMore) {
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
          continue;
        }
        const item = await this.puller.next();
        if (this.hasEnded) return;
        if (item === undefined) break;
        take(item);
        this.host.onChange(this);
      }
      if (this.hasEnded) return;
      flush();
      this.sourceEnded = true;
      this.host.onChange(this);
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

  private reader(source: PcmSource | OpusSource): {
    readonly input: PcmSource['pcm'] | OpusSource['opus'] | Iterable<unknown>;
    readonly take: (item: unknown) => void;
    readonly flush: () => void;
  } {
    if ('opus' in source) {
      this.kind = 'opus';
      const take = (item: unknown): void => {
        const samples = item instanceof Uint8Array ? opusFormat.samplesOf(item) : undefined;
        if (samples === undefined) throw new RtcError('ERR_RTC_SOURCE_INVALID', 'an item is no Opus packet');
        this.packets.push(item as Uint8Array);
        this.packetSamples += samples;
      };
      return { input: source.opus, take, flush: () => {} };
    }
    this.kind = 'pcm';
    const { pcm, sampleRate, channels, format = 's16le' } = source;
    this.channels = channels;
    const cutter = createFrameCutter(FRAME_SAMPLES * channels);
    this.cutter = cutter;
    const read = createPcmReader(format);
    const resampler = createResampler({ from: sampleRate, to: OPUS_RATE, channels });
    /** A chunk may end between left and right. */
    let odd = new Float32Array(0);
    const take = (item: unknown): void => {
      if (!(item instanceof Int16Array || item instanceof Float32Array || item instanceof Uint8Array)) {
        throw new RtcError('ERR_RTC_SOURCE_INVALID', 'an item is no PCM: Int16Array, Float32Array or Uint8Array');
      }
      let samples = read(item);
      if (odd.length > 0) {
        const whole = new Float32Array(samples.length + odd.length);
        whole.set(odd);
        whole.set(samples, odd.length);
        samples = whole;
      }
      const even = samples.length - (samples.length % channels);
      odd = samples.slice(even);
      cutter.push(resampler.push(samples.subarray(0, even)));
    };
    const input = pcm instanceof Int16Array || pcm instanceof Float32Array ? pieces(pcm, sampleRate, channels) : pcm;
    return { input, take, flush: () => cutter.push(resampler.flush()) };
  }
}

/** Error of a sender that was ended. */
export const aborted = (why: string, cause?: unknown): RtcError =>
  new RtcError('ERR_RTC_SEND_ABORTED', why, cause === undefined ? {} : { cause });

function* pieces<T extends Int16Array | Float32Array>(pcm: T, sampleRate: number, channels: number): Generator<T> {
  const size = Math.max(1, Math.round((sampleRate * PIECE_MS) / 1_000)) * channels;
  for (let at = 0; at < pcm.length; at += size) yield pcm.subarray(at, at + size) as T;
}

const isDeferred = (source: unknown): source is DeferredSource<PcmSource | OpusSource> =>
  typeof (source as { open?: unknown } | null)?.open === 'function';

/** @throws RtcError `ERR_RTC_SOURCE_INVALID` */
function readSource(source: unknown): PcmSource | OpusSource {
  if (typeof source === 'object' && source !== null) {
    if ('pcm' in source) return checkPcm(source as PcmSource);
    if ('opus' in source && isMediaInput(source.opus)) return source as OpusSource;
    // Samples without a rate, or one packet: both are items, not a list of them.
    if (!ArrayBuffer.isView(source) && isMediaInput(source)) return { opus: source as OpusSource['opus'] };
  }
  throw new RtcError('ERR_RTC_SOURCE_INVALID', 'neither Opus packets nor { pcm, sampleRate, channels }');
}

function checkPcm(source: PcmSource): PcmSource {
  const { pcm, sampleRate, channels, format = 's16le' } = source;
  const problem = !isMediaInput(pcm)
    ? 'pcm is nothing that gives samples'
    : !(sampleRate >= 4_000 && sampleRate <= 384_000 && Number.isInteger(sampleRate))
      ? 'sampleRate must be an integer from 4,000 to 384,000'
      : channels !== 1 && channels !== 2
        ? 'channels must be 1 or 2'
        : format !== 's16le' && format !== 'f32le'
          ? 'format must be s16le or f32le'
          : undefined;
  if (problem !== undefined) throw new RtcError('ERR_RTC_SOURCE_INVALID', problem);
  return source;
}
