/** Owns the way from a stream of Opus packets to the loudspeaker: decoding, timing, gaps. */
import { createPlayout } from '../protocol/playout.js';
import type { MediaClient, RemoteFrame } from './media-client.js';

/** Settings of {@link playAudio}. */
export interface PlayAudioOptions {
  /** Which of the client's streams. */
  readonly stream: number;
  /** It must have been started by something the user did. */
  readonly audioContext: AudioContext;
  /** Where it is played. @defaultValue the context's destination */
  readonly output?: AudioNode | undefined;
}

/** What a player has done. */
export interface AudioPlayerStats {
  readonly received: number;
  readonly played: number;
  /** Packets that came after their time, or could not be decoded. */
  readonly dropped: number;
  /** Times that the stream began anew: at first, after a pause, after a gap. */
  readonly starts: number;
  /** How long packets wait for their time now, ms. */
  readonly delayMs: number;
}

/** A stream that is being played. */
export interface AudioPlayer {
  /** 0 is silence, 1 as it came. */
  volume: number;
  /** Counters since the start. */
  stats(): AudioPlayerStats;
  /** Ends it and gives back the decoder. Idempotent. */
  stop(): void;
}

const CLOCK_RATE = 48_000;
/** Packets join on without a seam as long as their time is this near, s. */
const SEAM = 0.03;
/** Packets in the decoder at most: a second. */
const MAX_UNDECODED = 50;

/**
 * Plays a stream.
 *
 * @throws TypeError where the browser has no `AudioDecoder`.
 */
export function playAudio(
  client: MediaClient,
  { stream, audioContext, output = audioContext.destination }: PlayAudioOptions,
): AudioPlayer {
  if (typeof AudioDecoder === 'undefined') throw new TypeError('this browser has no AudioDecoder');
  const gain = audioContext.createGain();
  gain.connect(output);
  const playout = createPlayout({ clockRate: CLOCK_RATE, minDelayMs: 60 });
  const counts = { received: 0, played: 0, dropped: 0, starts: 0 };
  const sources = new Set<AudioBufferSourceNode>();
  /**
   * When what is being decoded is due, in order. By order, not by timestamp: decoders count the samples on from the first
   * packet, and where packets are missing their timestamps are those of other packets.
   */
  const plans: number[] = [];
  let decoder: AudioDecoder | undefined;
  /** Where the last packet ends, on the context's clock, s. */
  let end = 0;
  let isStopped = false;

  function open(): AudioDecoder {
    if (decoder && decoder.state !== 'closed') return decoder;
    decoder = new AudioDecoder({
      output(data) {
        play(data, plans.shift() ?? performance.now());
        data.close();
      },
      // The decoder is closed now; the next packet opens another.
      error: () => {
        counts.dropped += plans.length;
        plans.length = 0;
      },
    });
    decoder.configure({ codec: 'opus', sampleRate: CLOCK_RATE, numberOfChannels: 2 });
    return decoder;
  }

  function play(data: AudioData, playAt: number): void {
    const { numberOfChannels, numberOfFrames, sampleRate } = data;
    const buffer = audioContext.createBuffer(numberOfChannels, numberOfFrames, sampleRate);
    for (let channel = 0; channel < numberOfChannels; channel += 1) {
      data.copyTo(buffer.getChannelData(channel), { planeIndex: channel, format: 'f32-planar' });
    }
    const now = audioContext.currentTime;
    const due = now + (playAt - performance.now()) / 1_000;
    if (Math.abs(due - end) > SEAM || end < now) {
      // Too late for its place: what follows would only pile up behind it.
      if (due < now - SEAM) {
        counts.dropped += 1;
        return;
      }
      end = Math.max(due, now);
      counts.starts += 1;
    }
    const source = audioContext.createBufferSource();
    source.buffer = buffer;
    source.connect(gain);
    source.onended = () => sources.delete(source);
    sources.add(source);
    source.start(end);
    end += buffer.duration;
    counts.played += 1;
  }

  function take({ stream: from, kind, codec, timestamp, payload }: RemoteFrame): void {
    if (from !== stream || kind !== 'audio' || codec !== 'opus') return;
    counts.received += 1;
    const { playAt } = playout.plan(timestamp, performance.now());
    plans.push(playAt);
    try {
      // Decoders know microseconds.
      open().decode(
        new EncodedAudioChunk({ type: 'key', timestamp: Math.round((timestamp * 1_000) / 48), data: payload }),
      );
    } catch {
      plans.pop();
      counts.dropped += 1;
      return;
    }
    // A decoder that gives nothing back for so long gives nothing back for some packets: which, nobody knows.
    if (plans.length > MAX_UNDECODED) {
      counts.dropped += plans.length;
      plans.length = 0;
      decoder?.close();
    }
  }

  const unlisten = [client.on('frame', take), client.on('streamEnded', (ended) => ended.stream === stream && stop())];

  function stop(): void {
    if (isStopped) return;
    isStopped = true;
    for (const each of unlisten) each();
    for (const source of sources) source.stop();
    gain.disconnect();
    if (decoder && decoder.state !== 'closed') decoder.close();
  }

  return {
    get volume() {
      return gain.gain.value;
    },
    set volume(value) {
      gain.gain.value = value;
    },
    stats: () => ({ ...counts, delayMs: playout.delayMs }),
    stop,
  };
}
