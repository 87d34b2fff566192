/** Owns the payload types Discord gives to codecs. A table; negotiation is in `voice-session.ts`. */

/** A video codec that can be sent and received, by Discord's name. */
export type VideoCodec = 'VP8' | 'VP9' | 'H264';

/** Any codec that Discord names in a session description. */
export type CodecName = 'opus' | VideoCodec | 'H265' | 'AV1';

/** Payload types of one video codec. */
export interface VideoPayloadTypes {
  readonly payloadType: number;
  /** Of its retransmissions (RFC 4588). */
  readonly rtxPayloadType: number;
}

/** Payload type of Opus. */
export const OPUS_PAYLOAD_TYPE = 120;

/** What Discord's own clients use; they are told to the server when the protocol is selected. */
export const VIDEO_PAYLOAD_TYPES = {
  H264: { payloadType: 101, rtxPayloadType: 102 },
  VP8: { payloadType: 105, rtxPayloadType: 106 },
  VP9: { payloadType: 107, rtxPayloadType: 108 },
} as const satisfies Readonly<Record<VideoCodec, VideoPayloadTypes>>;

/** Whether a name is of a codec that can be sent and received. */
export function isVideoCodec(name: unknown): name is VideoCodec {
  return typeof name === 'string' && Object.hasOwn(VIDEO_PAYLOAD_TYPES, name);
}
