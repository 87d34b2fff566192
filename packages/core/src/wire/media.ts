/**
 * Owns the binary frames between page and app (media): a head of 12 bytes, big-endian, and a payload. Refuses to look
 * into payloads. Neither side throws on what the other sends.
 */

/** Version of the media frame. */
export const MEDIA_VERSION = 1;

/** Largest frame, head included, in bytes. */
export const MEDIA_MAX_BYTES = 262_144;

/** Bytes before the payload. */
export const MEDIA_HEAD_BYTES = 12;

/** What a frame carries. */
export type MediaKind = 'audio' | 'video' | 'keyframeRequest' | 'control';

/** How a payload is encoded; `none` for frames that carry no media. */
export type MediaCodec = 'none' | 'opus' | 'vp8' | 'vp9' | 'h264';

/** One media frame. */
export interface MediaFrame {
  readonly kind: MediaKind;
  readonly codec: MediaCodec;
  /** Of video: it can be decoded without those before it. */
  readonly keyframe: boolean;
  /** Which of the other side's streams; 0 is the page's own. */
  readonly stream: number;
  /** In ticks of the codec's clock (48 kHz for Opus, 90 kHz for video), modulo 2^32. */
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

/** What the page and the app tell each other in frames of kind `control`: JSON in UTF-8. */
export type MediaControl =
  /** Page → app: due within 5 s when the upgrade carried no proof of identity. */
  | { readonly type: 'auth'; readonly token: string }
  /** App → page: what may be sent from now on. */
  | {
      readonly type: 'ready';
      readonly maxFrameBytes: number;
      readonly maxBitsPerSecond: number;
      readonly maxFramesPerSecond: number;
    }
  /** App → page: frames of this stream are that user's. Told before the first of them. */
  | { readonly type: 'stream'; readonly stream: number; readonly userId: string; readonly kind: 'audio' | 'video' }
  /** App → page: no more frames of this stream. */
  | { readonly type: 'streamEnded'; readonly stream: number }
  /** App → page: frames of the page were dropped since the last such message. */
  | { readonly type: 'dropped'; readonly audio: number; readonly video: number };

/** A frame as it was understood. */
export type ParsedMediaFrame =
  | { readonly kind: 'frame'; readonly frame: MediaFrame }
  | { readonly kind: 'invalid'; readonly problem: 'short' | 'large' | 'version' | 'kind' | 'codec' };

const KINDS = [undefined, 'audio', 'video', 'keyframeRequest', 'control'] as const;
const CODECS = ['none', 'opus', 'vp8', 'vp9', 'h264'] as const;
const KEYFRAME = 1;

/**
 * Reads a frame. The payload is a view of the given bytes, not a copy. Unknown flags are ignored.
 */
export function parseMediaFrame(bytes: Uint8Array): ParsedMediaFrame {
  if (bytes.length < MEDIA_HEAD_BYTES) return { kind: 'invalid', problem: 'short' };
  if (bytes.length > MEDIA_MAX_BYTES) return { kind: 'invalid', problem: 'large' };
  const head = new DataView(bytes.buffer, bytes.byteOffset, MEDIA_HEAD_BYTES);
  if (head.getUint8(0) !== MEDIA_VERSION) return { kind: 'invalid', problem: 'version' };
  const kind = KINDS[head.getUint8(1)];
  if (kind === undefined) return { kind: 'invalid', problem: 'kind' };
  const codec = CODECS[head.getUint8(2)];
  if (codec === undefined || !fits(kind, codec)) return { kind: 'invalid', problem: 'codec' };
  const frame: MediaFrame = {
    kind,
    codec,
    keyframe: (head.getUint8(3) & KEYFRAME) !== 0,
    stream: head.getUint32(4),
    timestamp: head.getUint32(8),
    payload: bytes.subarray(MEDIA_HEAD_BYTES),
  };
  return { kind: 'frame', frame };
}

/**
 * Builds a frame.
 *
 * @throws RangeError when the frame would exceed {@link MEDIA_MAX_BYTES}, or codec and kind do not fit.
 */
export function buildMediaFrame({ kind, codec, keyframe, stream, timestamp, payload }: MediaFrame): Uint8Array {
  if (payload.length > MEDIA_MAX_BYTES - MEDIA_HEAD_BYTES) throw new RangeError('the media frame is too large');
  if (!fits(kind, codec)) throw new RangeError(`codec ${codec} does not fit kind ${kind}`);
  const bytes = new Uint8Array(MEDIA_HEAD_BYTES + payload.length);
  const head = new DataView(bytes.buffer);
  head.setUint8(0, MEDIA_VERSION);
  head.setUint8(1, KINDS.indexOf(kind));
  head.setUint8(2, CODECS.indexOf(codec));
  head.setUint8(3, keyframe ? KEYFRAME : 0);
  head.setUint32(4, stream);
  head.setUint32(8, timestamp);
  bytes.set(payload, MEDIA_HEAD_BYTES);
  return bytes;
}

function fits(kind: MediaKind, codec: MediaCodec): boolean {
  if (kind === 'audio') return codec === 'opus';
  if (kind === 'video') return codec === 'vp8' || codec === 'vp9' || codec === 'h264';
  return codec === 'none';
}
