/**
 * RTP and RTCP packets, payload formats and Discord's transport ciphers: bytes in, bytes out.
 *
 * @packageDocumentation
 */
export { createPacketCipher, type PacketCipher, type PacketCipherOptions } from './codec/packet-cipher.js';
export type { CipherBackend } from './codec/secret-box.js';
export { RTP_ERROR_REMEDIES, RtpError, type RtpErrorCode } from './errors.js';
export { demux } from './protocol/demux.js';
export {
  ENCRYPTION_MODES,
  type EncryptionMode,
  isEncryptionMode,
  type ModeTraits,
  traitsOf,
} from './protocol/encryption-mode.js';
export { type H264Frame, type H264PacketizeOptions, h264 } from './protocol/h264.js';
export {
  buildHeaderExtension,
  type ExtensionElement,
  type HeaderExtension,
  parseHeaderExtensions,
} from './protocol/header-extension.js';
export { middleNtp, ntpFromUnixMs, unixMsFromNtp } from './protocol/ntp.js';
export { type OpusFormat, type OpusFrame, type OpusPacketizeOptions, opus } from './protocol/opus.js';
export type {
  Depacketizer,
  DepacketizerOptions,
  DepacketizerStats,
  MediaFrame,
  MediaPacket,
  PacketizeOptions,
  PayloadFormat,
  RtpPayload,
} from './protocol/payload-format.js';
export type { PacketFailure, PacketProblem, Parsed } from './protocol/result.js';
export { buildRtcp, parseRtcp } from './protocol/rtcp-packet.js';
export type {
  Feedback,
  FullIntraRequest,
  Goodbye,
  Nack,
  PictureLossIndication,
  ReceiverEstimatedBitrate,
  ReceiverReport,
  ReceptionReport,
  RtcpPacket,
  SenderReport,
  SourceDescription,
  SourceItem,
  TransportFeedback,
  UnknownRtcp,
} from './protocol/rtcp-types.js';
export { buildRtp, parseRtp, type RtpPacket, type RtpPacketInit } from './protocol/rtp-packet.js';
export { fromRtx, type RtxTarget, toRtx } from './protocol/rtx.js';
export {
  addSequence,
  addTimestamp,
  createUnwrapper,
  sequenceDelta,
  timestampDelta,
  type Unwrapper,
} from './protocol/sequence.js';
export { type Vp8Frame, type Vp8PacketizeOptions, vp8 } from './protocol/vp8.js';
export { type Vp9Frame, type Vp9PacketizeOptions, vp9 } from './protocol/vp9.js';
