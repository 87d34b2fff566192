/**
 * Discord voice and video.
 *
 * @packageDocumentation
 */
export { ENCRYPTION_MODES, type EncryptionMode } from '@guildkit/rtp';
export { DiscordRtcClient } from './client.js';
export type { DaveActivity, DaveStats } from './dave/dave.js';
export { RTC_ERROR_REMEDIES, RtcError, type RtcErrorCode, type RtcErrorInit } from './errors.js';
export type {
  RtcDisconnectedEvent,
  RtcEncryptionEvent,
  RtcEvents,
  RtcMovedEvent,
  RtcSpeakingEvent,
  RtcStateChangeEvent,
  RtcUserEvent,
} from './events.js';
export type {
  AudioSender,
  AudioSource,
  DeferredSource,
  MediaInput,
  MixedAudio,
  OpusSource,
  PcmFormat,
  PcmSource,
  ReceiveAudioOptions,
  ReceivedAudio,
  SendAudioOptions,
  SenderState,
  WebStream,
} from './media/audio-types.js';
export type {
  OpusApplication,
  OpusCodec,
  OpusDecoder,
  OpusDecoderOptions,
  OpusEncoder,
  OpusEncoderOptions,
} from './media/codec/opus-codec.js';
export type { MediaOptions } from './media/media-engine.js';
export type { InboundStats, MediaStats, OutboundStats } from './media/media-stats.js';
export type { MediaSinkWants, RtpHeaderExtensionIds } from './media/transport.js';
export type {
  ReceivedVideo,
  ReceiveVideoOptions,
  SendVideoOptions,
  VideoChunk,
  VideoFrame,
  VideoSender,
  VideoSource,
  VideoTrack,
} from './media/video-types.js';
export type { ConnectOptions, DiscordRtcClientOptions } from './options.js';
export type { VideoCodec } from './protocol/voice-codecs.js';
export type { EndpointScheme } from './protocol/voice-endpoint.js';
export type { EndCause, VoicePhase, VoiceReason } from './protocol/voice-types.js';
export type { EncryptionStats, GatewayStats, PathStats, RtcStats } from './stats.js';
