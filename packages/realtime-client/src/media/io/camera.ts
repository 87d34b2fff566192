/** Owns the way from a camera's track to the media socket: pictures in, VP8 out. Refuses to ask for the camera: the page does. */
import type { MediaClient } from './media-client.js';

/** Settings of {@link sendCamera}. */
export interface SendCameraOptions {
  /** @defaultValue 600_000: 640×360 at 15 pictures a second */
  readonly bitsPerSecond?: number | undefined;
  /** Longest time between two keyframes. @defaultValue 5_000 */
  readonly keyframeIntervalMs?: number | undefined;
  /** Called when the encoder fails: nothing is sent any more. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** What is being sent. */
export interface MediaSender {
  /** Sends nothing until `resume()`: the track goes on. */
  pause(): void;
  /** Goes on. */
  resume(): void;
  /** Ends it and gives back the encoder. The track stays the page's. Idempotent. */
  stop(): void;
}

/** Pictures that may wait for the encoder: more, and the talk lags. */
const MAX_WAITING = 2;

/**
 * Encodes a camera's pictures as VP8 and sends them.
 *
 * @throws TypeError where the browser has no `VideoEncoder`.
 */
export function sendCamera(client: MediaClient, track: MediaStreamTrack, options: SendCameraOptions = {}): MediaSender {
  const { bitsPerSecond = 600_000, keyframeIntervalMs = 5_000, onError = () => {} } = options;
  if (typeof VideoEncoder === 'undefined') throw new TypeError('this browser has no VideoEncoder');
  const ended = new AbortController();
  let isPaused = false;
  let wantsKeyframe = true;
  let keyframeAt = 0;
  let size = '';

  const encoder = new VideoEncoder({
    output(chunk) {
      const payload = new Uint8Array(chunk.byteLength);
      chunk.copyTo(payload);
      const keyframe = chunk.type === 'key';
      // Microseconds in ticks of 90 kHz.
      const timestamp = Math.round((chunk.timestamp * 9) / 100) >>> 0;
      const isSent = client.send({ kind: 'video', codec: 'vp8', keyframe, timestamp, payload });
      if (!isSent) wantsKeyframe = true;
    },
    error(error) {
      stop();
      onError(error);
    },
  });
  const unlisten = [
    client.on('keyframeRequest', () => {
      wantsKeyframe = true;
    }),
    client.on('stateChange', () => {
      wantsKeyframe = true;
    }),
  ];

  function take(frame: VideoFrame): void {
    // A camera that is turned changes its size.
    const { displayWidth: width, displayHeight: height } = frame;
    if (
      !isPaused &&
      client.state.status === 'open' &&
      encoder.encodeQueueSize <= MAX_WAITING &&
      encoder.state !== 'closed'
    ) {
      if (size !== `${width}×${height}`) {
        size = `${width}×${height}`;
        encoder.configure({ codec: 'vp8', width, height, bitrate: bitsPerSecond, latencyMode: 'realtime' });
        wantsKeyframe = true;
      }
      const now = performance.now();
      const keyFrame = wantsKeyframe || now - keyframeAt > keyframeIntervalMs;
      if (keyFrame) {
        wantsKeyframe = false;
        keyframeAt = now;
      }
      encoder.encode(frame, { keyFrame });
    }
    frame.close();
  }

  function stop(): void {
    if (ended.signal.aborted) return;
    ended.abort();
    for (const each of unlisten) each();
    if (encoder.state !== 'closed') encoder.close();
  }

  void picturesOf(track, ended.signal, take).then(stop, (error) => {
    if (ended.signal.aborted) return;
    stop();
    onError(error);
  });
  return {
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      wantsKeyframe = true;
    },
    stop,
  };
}

/** Hands on a track's pictures until it ends: by a track processor, or by a video element where there is none. */
async function picturesOf(
  track: MediaStreamTrack,
  signal: AbortSignal,
  take: (frame: VideoFrame) => void,
): Promise<void> {
  if (typeof MediaStreamTrackProcessor === 'undefined') {
    await picturesByElement(track, signal, take);
    return;
  }
  const reader = new MediaStreamTrackProcessor<VideoFrame>({ track, maxBufferSize: MAX_WAITING }).readable.getReader();
  signal.addEventListener('abort', () => void reader.cancel().catch(() => {}), { once: true });
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    if (signal.aborted) value.close();
    else take(value);
  }
}

async function picturesByElement(
  track: MediaStreamTrack,
  signal: AbortSignal,
  take: (frame: VideoFrame) => void,
): Promise<void> {
  const video = document.createElement('video');
  video.muted = true;
  video.playsInline = true;
  video.srcObject = new MediaStream([track]);
  await video.play();
  await new Promise<void>((resolve) => {
    const next = (): void => {
      if (signal.aborted || track.readyState === 'ended') {
        video.srcObject = null;
        resolve();
        return;
      }
      take(new VideoFrame(video, { timestamp: Math.round(performance.now() * 1_000) }));
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
    // Without a picture there is no callback, either.
    for (const each of [signal, track])
      each.addEventListener(each === signal ? 'abort' : 'ended', next, { once: true });
  });
}
