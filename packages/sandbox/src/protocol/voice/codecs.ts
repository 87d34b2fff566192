/** Owns the codecs of voice and video: payload types, and which codec a session gets. */
import type { CodecClaim } from './frames.js';

/** Payload types that Discord's clients use, each with its retransmissions' one. */
export const PAYLOAD_TYPES = {
  opus: { payloadType: 120 },
  H264: { payloadType: 101, rtxPayloadType: 102 },
  H265: { payloadType: 103, rtxPayloadType: 104 },
  VP8: { payloadType: 105, rtxPayloadType: 106 },
  VP9: { payloadType: 107, rtxPayloadType: 108 },
  AV1: { payloadType: 109, rtxPayloadType: 110 },
} as const;

/** Codec of those who announce none. */
const DEFAULT_VIDEO = 'VP8';

/** The codecs of a session: of those a client lists the one with the lowest `priority`, which is the first choice. */
export function choosePair(codecs: readonly CodecClaim[]): { audio_codec: 'opus'; video_codec: string } {
  const video = codecs
    .filter(({ name, type }) => type === 'video' && Object.hasOwn(PAYLOAD_TYPES, name))
    .sort((a, b) => a.priority - b.priority)[0];
  return { audio_codec: 'opus', video_codec: video?.name ?? DEFAULT_VIDEO };
}
