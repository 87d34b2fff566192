/** Owns the way from a stream of encoded pictures to a canvas: decoding, timing, keyframes where they are missing. */
import { createPlayout } from '../protocol/playout.js';
import type { MediaClient, RemoteFrame } from './media-client.js';

/** Settings of {@link playVideo}. */
export interface PlayVideoOptions {
  /** Which of the client's streams. */
  readonly stream: number;
  /** Where it is drawn; its size follows the video's. Without one only `onFrame` sees the pictures. */
  readonly canvas?: HTMLCanvasElement | undefined;
  /**
   * Called with each picture when it is due, before it is closed: the place to look at what a camera sees. `clone()` what
   * is needed for longer.
   */
  readonly onFrame?: ((frame: VideoFrame) => void) | undefined;
}

/** What a player has done. */
export interface VideoPlayerStats {
  readonly received: number;
  readonly decoded: number;
  readonly drawn: number;
  /** Pictures that could not be decoded, or came without the keyframe they need. */
  readonly dropped: number;
  readonly keyframeRequests: number;
  /** How long pictures wait for their time now, ms. */
  readonly delayMs: number;
}

/** A stream that is being shown. */
export interface VideoPlayer {
  /** Counters since the start. */
  stats(): VideoPlayerStats;
  /** Ends it and gives back the decoder. Idempotent. */
  stop(): void;
}

/** Names of WebCodecs for the codecs of the wire. H.264 is that of Annex B, baseline. */
const CODECS = { vp8: 'vp8', vp9: 'vp09.00.10.08', h264: 'avc1.42E01F' } as const;
/** Pictures that wait for their time at most: each holds memory of the graphics card. */
const MAX_WAITING = 8;
const CLOCK_RATE = 90_000;

/**
 * Shows a stream.
 *
 * @throws TypeError where the browser has no `VideoDecoder`.
 */
export function playVideo(client: MediaClient, { stream, canvas, onFrame }: PlayVideoOptions): VideoPlayer {
  if (typeof VideoDecoder === 'undefined') throw new TypeError('this browser has no VideoDecoder');
  const context = canvas?.getContext('2d') ?? undefined;
  const playout = createPlayout({ clockRate: CLOCK_RATE });
  /** Decoded pictures in their order, each with its time. */
  const waiting: { readonly frame: VideoFrame; readonly playAt: number }[] = [];
  /** When the picture of a timestamp is due, between arrival and decoding. */
  const plans = new Map<number, number>();
  const counts = { received: 0, decoded: 0, drawn: 0, dropped: 0, keyframeRequests: 0 };
  let decoder: VideoDecoder | undefined;
  let codec: string | undefined;
  let needsKeyframe = true;
  let request = 0;
  let isStopped = false;

  function ask(): void {
    needsKeyframe = true;
    counts.keyframeRequests += 1;
    client.requestKeyframe(stream);
  }

  function open(next: string): VideoDecoder {
    if (decoder && decoder.state !== 'closed' && codec === next) return decoder;
    if (decoder && decoder.state !== 'closed') decoder.close();
    codec = next;
    decoder = new VideoDecoder({
      output(frame) {
        counts.decoded += 1;
        const playAt = plans.get(frame.timestamp) ?? performance.now();
        plans.delete(frame.timestamp);
        waiting.push({ frame, playAt });
        while (waiting.length > MAX_WAITING) waiting.shift()?.frame.close();
        request ||= requestAnimationFrame(draw);
      },
      error() {
        // The decoder is closed now: a keyframe starts another.
        counts.dropped += 1;
        ask();
      },
    });
    decoder.configure({ codec: next, optimizeForLatency: true });
    return decoder;
  }

  function take({ stream: from, kind, codec: name, keyframe, timestamp, payload }: RemoteFrame): void {
    if (from !== stream || kind !== 'video' || !(name in CODECS)) return;
    counts.received += 1;
    const now = performance.now();
    const { playAt } = playout.plan(timestamp, now);
    if (needsKeyframe && !keyframe) {
      counts.dropped += 1;
      ask();
      return;
    }
    needsKeyframe = false;
    plans.set(timestamp, playAt);
    // What a decoder never gave back.
    if (plans.size > 64) plans.clear();
    try {
      // The timestamp is a name here; the times are the playout's.
      open(CODECS[name as keyof typeof CODECS]).decode(
        new EncodedVideoChunk({ type: keyframe ? 'key' : 'delta', timestamp, data: payload }),
      );
    } catch {
      counts.dropped += 1;
      ask();
    }
  }

  function draw(): void {
    request = 0;
    const now = performance.now();
    let due: VideoFrame | undefined;
    while (waiting[0] && waiting[0].playAt <= now) {
      due?.close();
      due = waiting.shift()?.frame;
    }
    if (due) {
      counts.drawn += 1;
      if (canvas && context) {
        if (canvas.width !== due.displayWidth) canvas.width = due.displayWidth;
        if (canvas.height !== due.displayHeight) canvas.height = due.displayHeight;
        context.drawImage(due, 0, 0);
      }
      try {
        onFrame?.(due);
      } finally {
        due.close();
      }
    }
    if (waiting.length > 0 && !isStopped) request ||= requestAnimationFrame(draw);
  }

  const unlisten = [client.on('frame', take), client.on('streamEnded', (ended) => ended.stream === stream && stop())];
  ask();

  function stop(): void {
    if (isStopped) return;
    isStopped = true;
    for (const each of unlisten) each();
    cancelAnimationFrame(request);
    for (const { frame } of waiting.splice(0)) frame.close();
    if (decoder && decoder.state !== 'closed') decoder.close();
  }

  return { stats: () => ({ ...counts, delayMs: playout.delayMs }), stop };
}

/** A picture's pixels, RGBA. The frame stays the caller's. */
export function imageDataOf(frame: VideoFrame): ImageData {
  const canvas = new OffscreenCanvas(frame.displayWidth, frame.displayHeight);
  const context = canvas.getContext('2d', { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D;
  context.drawImage(frame, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
