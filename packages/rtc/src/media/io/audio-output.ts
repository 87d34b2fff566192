/**
 * Owns what is sent as audio: which tracks play, a frame every 20 ms, silence at the end of talk, speaking flags. One packet
 * is prepared ahead, so that a tick has only to send.
 */
import { buildHeaderExtension, opus as opusFormat, type RtpPacketInit } from '@guildkit/rtp';
import { RtcError } from '../../errors.js';
import { OPUS_PAYLOAD_TYPE } from '../../protocol/voice-codecs.js';
import type { AudioSender, AudioSource, SendAudioOptions } from '../audio-types.js';
import { FRAME_SAMPLES, type OpusCodec, type OpusEncoder } from '../codec/opus-codec.js';
import { audioLevel, mix, toInt16, toStereo } from '../protocol/pcm.js';
import type { MediaTransport } from '../transport.js';
import { AudioTrack, aborted, type PcmFrame } from './audio-track.js';
import { OutboundCounter } from './outbound-counter.js';
import { createTicker } from './ticker.js';

const FRAME_MS = 20;
const SAMPLES_PER_MS = 48;
/** 100 ms late: more at once would overflow the jitter buffers of listeners. */
const MAX_CATCH_UP = 5;
/** Discord: "send five frames of silence" at the end, so that receivers do not make sound up (docs, Voice Data Interpolation). */
const SILENT_FRAMES = 5;
const MICROPHONE = 1;
const SOUNDSHARE = 2;
const PRIORITY = 4;

/** What an output is made of. */
export interface AudioOutputInit {
  readonly transport: MediaTransport;
  readonly bitrate: number;
  readonly random: () => number;
  loadCodec(): Promise<OpusCodec>;
  onError(error: unknown): void;
}

interface Prepared {
  readonly payload: Uint8Array;
  readonly samples: number;
  /** -dBov; `undefined` when it was not looked at. */
  readonly level: number | undefined;
  readonly flags: number;
}

/** Sends the audio of one client. */
export class AudioOutput {
  readonly counter: OutboundCounter;

  private readonly transport: MediaTransport;
  private readonly ticker;
  private active: AudioTrack[] = [];
  private waiting: AudioTrack[] = [];
  /** All sent; they have finished when the silence behind them is out. */
  private ending: AudioTrack[] = [];
  private prepared: Prepared | undefined;
  private silenceLeft = 0;
  private talkSpurt = true;
  private sequenceNumber: number;
  private readonly timestampBase: number;
  /** Where the sent audio ends, on the clock. */
  private cursor = 0;
  private codec: OpusCodec | undefined;
  private readonly encoders = new Map<1 | 2, OpusEncoder>();

  constructor(private readonly init: AudioOutputInit) {
    const { transport, random } = init;
    this.transport = transport;
    this.counter = new OutboundCounter('audio', SAMPLES_PER_MS * 1_000);
    // RFC 3550 section 5.1: both begin at random.
    this.sequenceNumber = Math.floor(random() * 2 ** 16);
    this.timestampBase = Math.floor(random() * 2 ** 32);
    this.ticker = createTicker({
      clock: transport.clock,
      intervalMs: FRAME_MS,
      maxCatchUp: MAX_CATCH_UP,
      onTick: (at) => this.tick(at),
    });
  }

  send(source: AudioSource, options: SendAudioOptions | undefined): AudioSender {
    const track = new AudioTrack(source, options, {
      codec: () => this.load(),
      onChange: (changed) => this.onChange(changed),
    });
    if (track.state === 'ended') return track;
    const { whenBusy } = track.settings;
    if (whenBusy === 'replace') this.abort('another source replaced it');
    if (whenBusy === 'mix' && this.active.length > 0) this.active.push(track);
    else this.waiting.push(track);
    this.advance();
    return track;
  }

  /** Ends all senders. */
  abort(why: string): void {
    for (const track of [...this.active, ...this.waiting, ...this.ending]) track.end(aborted(why));
  }

  close(): void {
    this.abort('the client was closed');
    this.ticker.stop();
    for (const encoder of this.encoders.values()) encoder.free();
    this.encoders.clear();
  }

  /** There is someone to send to: what waits goes out at once, not with the next tick. */
  onSession(): void {
    if (!this.ticker.running) return;
    this.ticker.stop();
    this.ticker.start();
  }

  /** The timestamp of this instant: for sender reports. */
  timestampAt(now: number): number {
    return (this.timestampBase + Math.round(now * SAMPLES_PER_MS)) >>> 0;
  }

  private async load(): Promise<OpusCodec> {
    this.codec = await this.init.loadCodec();
    return this.codec;
  }

  private onChange(track: AudioTrack): void {
    if (track.state === 'ended') {
      this.active = this.active.filter((other) => other !== track);
      this.waiting = this.waiting.filter((other) => other !== track);
      this.ending = this.ending.filter((other) => other !== track);
    }
    this.advance();
  }

  /** Lets the next one play when nothing does, and the clock run while something has to be sent. */
  private advance(): void {
    this.active = this.active.filter((track) => {
      if (track.state !== 'ended' && track.isDrained) this.ending.push(track);
      return track.state !== 'ended' && !track.isDrained;
    });
    if (this.active.length === 0) {
      const next = this.waiting.shift();
      if (next !== undefined) this.active.push(next);
    }
    for (const track of this.active) track.play();
    // It opens while another one plays, so that there is no pause between them.
    this.waiting[0]?.open();
    const isQuiet = this.active.every(({ state }) => state === 'paused') && this.silenceLeft === 0 && !this.prepared;
    if (isQuiet && this.ending.length === 0) this.ticker.stop();
    else this.ticker.start();
  }

  private tick(at: number): void {
    // Nothing is pulled, and so nothing lost, while there is no one to send to.
    if (this.transport.session === undefined) return;
    let cursor = Math.max(this.cursor, at);
    let sent = false;
    while (cursor < at + FRAME_MS - 0.01) {
      const frame = this.prepared ?? this.prepare();
      this.prepared = undefined;
      if (frame === undefined) break;
      this.transport.setSpeaking(frame.flags);
      this.transmit(frame.payload, cursor, frame.level);
      cursor += frame.samples / SAMPLES_PER_MS;
      this.silenceLeft = SILENT_FRAMES;
      sent = true;
    }
    this.cursor = cursor;
    if (sent) {
      if (this.active.length > 0 && this.ending.length > 0) this.finishEnding();
      this.prepared = this.prepare();
    } else if (cursor <= at + 0.01) {
      this.sendSilence(at);
    }
    this.advance();
  }

  private sendSilence(at: number): void {
    if (this.silenceLeft > 0) {
      this.silenceLeft -= 1;
      this.transmit(opusFormat.silence, at, 127);
      // The ticker may be stopped and started again before this has been played.
      this.cursor = at + FRAME_MS;
      if (this.silenceLeft > 0) return;
      this.transport.setSpeaking(0);
      this.talkSpurt = true;
    }
    this.finishEnding();
  }

  private finishEnding(): void {
    const { ending } = this;
    this.ending = [];
    for (const track of ending) track.end(undefined);
  }

  /** What is sent next: the packet of the one track that plays, or what was encoded of all of them. */
  private prepare(): Prepared | undefined {
    const tracks = this.active.filter(({ state }) => state === 'sending');
    const [only] = tracks;
    if (only === undefined) return undefined;
    try {
      if (tracks.length === 1 && only.passesThrough) {
        const taken = only.takePacket();
        if (taken === undefined) return undefined;
        return { payload: taken.packet, samples: taken.samples, level: undefined, flags: flagsOf(tracks) };
      }
      return this.encode(tracks);
    } catch (error) {
      for (const track of tracks) {
        track.end(
          RtcError.is(error) ? error : new RtcError('ERR_RTC_OPUS_FAILED', 'encoding failed', { cause: error }),
        );
      }
      return undefined;
    } finally {
      this.advance();
    }
  }

  private encode(tracks: readonly AudioTrack[]): Prepared | undefined {
    if (this.codec === undefined) {
      this.load().catch((error: unknown) => {
        for (const track of tracks) track.end(error as RtcError);
      });
      return undefined;
    }
    const frames: PcmFrame[] = [];
    const heard: AudioTrack[] = [];
    for (const track of tracks) {
      const frame = track.takePcm(this.codec);
      if (frame === undefined) continue;
      frames.push(frame);
      heard.push(track);
    }
    const [first] = frames;
    if (first === undefined) return undefined;
    const isMono = frames.every(({ channels }) => channels === 1);
    const channels = isMono ? 1 : 2;
    const sounds = frames.map((frame) => (frame.channels === channels ? frame.samples : toStereo(frame.samples)));
    const mixed = mix(sounds, FRAME_SAMPLES * channels);
    const wantsLevel = this.transport.headerExtensions.audioLevel !== undefined;
    return {
      payload: this.encoder(this.codec, channels).encode(toInt16(mixed)),
      samples: FRAME_SAMPLES,
      level: wantsLevel ? audioLevel(mixed) : undefined,
      flags: flagsOf(heard),
    };
  }

  private encoder(codec: OpusCodec, channels: 1 | 2): OpusEncoder {
    let encoder = this.encoders.get(channels);
    if (encoder === undefined) {
      encoder = codec.createEncoder({ channels, bitrate: this.init.bitrate });
      this.encoders.set(channels, encoder);
    }
    return encoder;
  }

  private transmit(frame: Uint8Array, at: number, level: number | undefined): void {
    const { transport } = this;
    const { session } = transport;
    if (session === undefined) return;
    const payload = transport.encryptFrame('opus', frame);
    const sequenceNumber = this.sequenceNumber;
    this.sequenceNumber = (sequenceNumber + 1) & 0xffff;
    if (payload === undefined) {
      this.counter.dropped += 1;
      return;
    }
    const { audioLevel: levelId } = transport.headerExtensions;
    const packet: RtpPacketInit = {
      payloadType: OPUS_PAYLOAD_TYPE,
      ssrc: session.audioSsrc,
      sequenceNumber,
      timestamp: this.timestampAt(at),
      marker: this.talkSpurt,
      payload,
      // RFC 6464 section 3: bit 7 says that it is voice.
      ...(levelId !== undefined &&
        level !== undefined && {
          extension: buildHeaderExtension([{ id: levelId, data: Uint8Array.of((level < 127 ? 0x80 : 0) | level) }]),
        }),
    };
    this.talkSpurt = false;
    if (transport.sendRtp(packet)) this.counter.count(payload.length, transport.clock.now());
    this.counter.frames += 1;
  }
}

function flagsOf(tracks: readonly AudioTrack[]): number {
  let flags = 0;
  for (const { settings } of tracks) {
    flags |= settings.speaking === 'soundshare' ? SOUNDSHARE : MICROPHONE;
    if (settings.priority) flags |= PRIORITY;
  }
  return flags;
}
