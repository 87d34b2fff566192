/**
 * Camera and microphone over the media relay: WebCodecs in, WebCodecs out.
 *
 * @packageDocumentation
 */
export { type AudioPlayer, type AudioPlayerStats, type PlayAudioOptions, playAudio } from './io/audio-player.js';
export { type MediaSender, type SendCameraOptions, sendCamera } from './io/camera.js';
export {
  MediaClient,
  type MediaClientOptions,
  type MediaEvents,
  type MediaSocket,
  type MediaView,
  type OwnFrame,
  type RemoteFrame,
  type RemoteStream,
} from './io/media-client.js';
export { type SendMicrophoneOptions, sendMicrophone } from './io/microphone.js';
export {
  imageDataOf,
  type PlayVideoOptions,
  playVideo,
  type VideoPlayer,
  type VideoPlayerStats,
} from './io/video-player.js';
export type { LinkStatus } from './protocol/link.js';
export { createPlayout, type Playout, type PlayoutOptions, type PlayoutTime } from './protocol/playout.js';
