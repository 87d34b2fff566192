/**
 * Owns one received stream of audio: its jitter buffer, what is counted, decryption and decoding. Frames are decrypted when
 * they are played: a key that comes a little later than its first frame is in time.
 */
import { opus as opusFormat, type RtpPacket } from '@guildkit/rtp';
import type { ReceivedAudio } from '../audio-types.js';
import { FRAME_SAMPLES, type OpusCodec, type OpusDecoder } from '../codec/opus-codec.js';
import type { InboundStats } from '../media-stats.js';
import { createJitterBuffer, type JitterPacket, type Playout } from '../protocol/jitter-buffer.js';
import type { DelayBounds } from '../protocol/playout-delay.js';
import { createRateMeter } from '../protocol/rate-meter.js';
import { createReception } from '../protocol/reception.js';
import type { StreamOwner } from '../protocol/ssrc-table.js';
import { createTalkDetector } from '../protocol/talk-detector.js';
import type { MediaTransport } from '../transport.js';

const SAMPLES_PER_MS = 48;

interface Arrived extends JitterPacket {
  readonly rtp: RtpPacket;
  readonly arrivedAt: number;
}

/** What was played: a frame, and PCM of it on demand. */
export interface PlayedAudio {
  readonly frame: ReceivedAudio;
  /** Decodes on the first call for a number of channels; every frame has to be asked for, or the decoder misses it. */
  pcm(channels: 1 | 2, codec: OpusCodec): Int16Array;
}

/** One stream. */
export class AudioStream {
  readonly reception = createReception(SAMPLES_PER_MS * 1_000);
  readonly talk = createTalkDetector();
  private readonly buffer;
  private readonly meter = createRateMeter();
  private readonly decoders = new Map<1 | 2, OpusDecoder>();
  private frames = 0;
  private decryptFailures = 0;
  /** Samples that were made up because a packet could not be used. */
  private unusable = 0;
  private lastSamples = FRAME_SAMPLES;

  constructor(
    readonly owner: StreamOwner,
    private readonly transport: MediaTransport,
    bounds: DelayBounds,
  ) {
    this.buffer = createJitterBuffer<Arrived>(bounds);
  }

  /** Something waits or is made up. */
  get isActive(): boolean {
    return this.buffer.nextAt !== undefined;
  }

  /** Counts a packet, and keeps it if it is to be played. */
  receive(rtp: RtpPacket, arrivedAt: number, isWanted: boolean): void {
    const { sequenceNumber, timestamp, payload } = rtp;
    this.reception.receive({ sequenceNumber, timestamp, bytes: payload.length }, arrivedAt);
    this.meter.add(payload.length, arrivedAt);
    if (!isWanted || payload.length === 0) return;
    this.buffer.push({ sequenceNumber, timestamp, silent: opusFormat.isSilence(payload), rtp, arrivedAt }, arrivedAt);
  }

  /** What is to be played by then; call until `undefined`. */
  play(at: number): PlayedAudio | undefined {
    const playout = this.buffer.pop(at);
    return playout === undefined ? undefined : this.played(playout);
  }

  stats(now: number): InboundStats {
    const { counts } = this.buffer;
    return {
      kind: 'audio',
      ssrc: this.owner.ssrc,
      userId: this.owner.userId,
      codec: 'opus',
      packets: this.reception.packets,
      bytes: this.reception.bytes,
      bitrate: this.meter.rate(now),
      lost: this.reception.lost,
      late: counts.late,
      duplicates: counts.duplicates,
      jitterMs: this.reception.jitterMs,
      frames: this.frames,
      decryptFailures: this.decryptFailures,
      concealedMs: (counts.concealedSamples + this.unusable) / SAMPLES_PER_MS,
      silencedMs: counts.silencedSamples / SAMPLES_PER_MS,
      targetDelayMs: this.buffer.targetDelayMs,
      keyframes: 0,
      droppedFrames: counts.skipped,
      nacks: 0,
      recovered: 0,
      keyframeRequests: 0,
    };
  }

  close(): void {
    for (const decoder of this.decoders.values()) decoder.free();
    this.decoders.clear();
  }

  private played(playout: Playout<Arrived>): PlayedAudio {
    const { userId, ssrc } = this.owner;
    const base = { userId, ssrc, pcm: undefined, channels: 2, timestamp: playout.timestamp } as const;
    const none = { opus: undefined, talkStart: false, rtp: undefined } as const;
    if (playout.kind !== 'packet') {
      return this.lazily({ ...base, ...none, kind: playout.kind, samples: playout.samples });
    }
    const { rtp, arrivedAt } = playout.packet;
    const packet = this.decrypt(rtp.payload);
    const samples = packet === undefined ? undefined : opusFormat.samplesOf(packet);
    if (packet === undefined || samples === undefined) {
      this.unusable += this.lastSamples;
      return this.lazily({ ...base, ...none, kind: 'concealed', samples: this.lastSamples });
    }
    this.frames += 1;
    this.lastSamples = samples;
    const { sequenceNumber, marker, csrcs, extension } = rtp;
    return this.lazily({
      ...base,
      kind: 'packet',
      opus: packet,
      samples,
      talkStart: playout.talkStart,
      rtp: { sequenceNumber, marker, csrcs, extension, arrivedAt },
    });
  }

  private decrypt(payload: Uint8Array): Uint8Array | undefined {
    const result = this.transport.decryptFrame(this.owner.userId, 'opus', payload);
    if (result.ok) return result.frame;
    this.decryptFailures += 1;
    return undefined;
  }

  private lazily(frame: ReceivedAudio): PlayedAudio {
    const made = new Map<1 | 2, Int16Array>();
    return {
      frame,
      pcm: (channels, codec) => {
        const known = made.get(channels);
        if (known !== undefined) return known;
        const pcm = this.decode(frame, channels, codec);
        made.set(channels, pcm);
        return pcm;
      },
    };
  }

  private decode({ kind, opus, samples }: ReceivedAudio, channels: 1 | 2, codec: OpusCodec): Int16Array {
    let decoder = this.decoders.get(channels);
    if (decoder === undefined) {
      decoder = codec.createDecoder({ channels });
      this.decoders.set(channels, decoder);
    }
    if (kind === 'silence') return new Int16Array(samples * channels);
    return (opus === undefined ? undefined : decoder.decode(opus)) ?? decoder.conceal(samples);
  }
}
