/**
 * Owns one seat: a bot with its own gateway session and its place in a voice channel. Encoded media goes through as it is.
 * Discord shows nobody the video of a bot today; its voice it plays.
 */
import type { Logger } from '@guildkit/core';
import { DiscordGatewayClient } from '@guildkit/gateway';
import {
  type AudioSender,
  DiscordRtcClient,
  type EndCause,
  type VideoCodec,
  type VideoFrame,
  type VideoSender,
} from '@guildkit/rtc';
import type { MediaSeat, SeatVideo } from '@guildkit/server-kit/media';
import { createLiveQueue, type LiveQueue } from './live-queue.js';
import type { Seat } from './seat-pool.js';

export interface VoiceSeatOptions {
  readonly token: string;
  readonly guildId: string;
  readonly apiBase?: string | undefined;
  readonly logger: Logger;
}

/** Packets that wait to be sent, 20 ms each: more, and the talk lags. */
const MAX_AUDIO = 10;
const MAX_VIDEO = 30;
/** Nothing for this long: the microphone, or the camera, is off. */
const IDLE_MS = 1_500;
/** A step of a page's clock that is longer is another page's, microseconds. */
const MAX_STEP_US = 10_000_000;

const CODECS = { vp8: 'VP8', vp9: 'VP9', h264: 'H264' } as const satisfies Record<SeatVideo['codec'], VideoCodec>;
const NAMES = { VP8: 'vp8', VP9: 'vp9', H264: 'h264' } as const satisfies Record<VideoCodec, SeatVideo['codec']>;

interface Outgoing<Item, Sender> {
  readonly queue: LiveQueue<Item>;
  readonly sender: Sender;
}

/** Makes a seat; it connects when it first joins. */
export function createVoiceSeat({ token, guildId, apiBase, logger }: VoiceSeatOptions): Seat {
  const gateway = new DiscordGatewayClient({
    token,
    guildId,
    apiBase,
    intents: ['Guilds', 'GuildVoiceStates'],
    logger,
  });
  const rtc = new DiscordRtcClient({ signalling: gateway.signalling, guildId, logger });
  const keyframeListeners = new Set<() => void>();
  let audio: Outgoing<Uint8Array, AudioSender> | undefined;
  let video: (Outgoing<VideoFrame, VideoSender> & { readonly codec: SeatVideo['codec'] }) | undefined;
  let audioTimer: NodeJS.Timeout | undefined;
  let videoTimer: NodeJS.Timeout | undefined;
  /** The page's clock, unwrapped. */
  let ticks = 0;
  let timeUs = 0;

  const endAudio = (): void => {
    clearTimeout(audioTimer);
    audio?.queue.end();
    audio = undefined;
  };
  const endVideo = (): void => {
    clearTimeout(videoTimer);
    video?.queue.end();
    video?.sender.stop();
    video = undefined;
  };
  const quiet = (): void => {
    endAudio();
    endVideo();
  };
  rtc.on('disconnected', quiet);

  const media: MediaSeat = {
    sendAudio({ payload }) {
      if (audio === undefined) {
        const queue = createLiveQueue<Uint8Array>(MAX_AUDIO);
        audio = { queue, sender: rtc.sendAudio({ opus: queue }, { whenBusy: 'replace' }) };
        audioTimer = setTimeout(endAudio, IDLE_MS);
      }
      // The payload is a view of a buffer that the socket reads into.
      audio.queue.push(Uint8Array.from(payload));
      audioTimer?.refresh();
    },
    sendVideo({ codec, keyframe, payload, timestamp }) {
      if (video !== undefined && video.codec !== codec) endVideo();
      if (video === undefined) {
        const queue = createLiveQueue<VideoFrame>(MAX_VIDEO);
        const sender = rtc.sendVideo(
          { codec: CODECS[codec], frames: queue },
          { pacing: 'arrival', onKeyframeRequest: () => keyframeListeners.forEach((listener) => void listener()) },
        );
        video = { queue, sender, codec };
        videoTimer = setTimeout(endVideo, IDLE_MS);
      }
      const stepUs = Math.round((((timestamp - ticks) | 0) * 100) / 9);
      timeUs += stepUs > 0 && stepUs < MAX_STEP_US ? stepUs : 1;
      ticks = timestamp;
      video.queue.push({ data: Uint8Array.from(payload), keyframe, timestamp: timeUs });
      videoTimer?.refresh();
    },
    onAudio: (listener) =>
      rtc.onAudio(({ userId, opus, timestamp }) => {
        if (opus !== undefined) listener({ userId, payload: opus, timestamp });
      }),
    onVideo: (listener) =>
      rtc.onVideo(({ userId, codec, keyframe, data, timestamp }) => {
        listener({ userId, codec: NAMES[codec], keyframe, payload: data, timestamp });
      }),
    requestKeyframe: (userId) => rtc.requestKeyframe(userId),
    onKeyframeRequest(listener) {
      keyframeListeners.add(listener);
      return () => keyframeListeners.delete(listener);
    },
    onLeft(listener) {
      const tell = ({ userId }: { readonly userId: string }): void => listener(userId);
      rtc.on('userLeft', tell);
      return () => rtc.off('userLeft', tell);
    },
    onEnded(listener) {
      // What we ended ourselves is no end to tell of.
      const tell = ({ cause }: { readonly cause: EndCause }): void => {
        if (cause !== 'closed') listener();
      };
      rtc.on('disconnected', tell);
      return () => rtc.off('disconnected', tell);
    },
  };

  return {
    media,
    get userId() {
      return gateway.signalling.userId;
    },
    connect: () => gateway.connect(),
    join: (channelId) => rtc.connect(channelId),
    async leave() {
      quiet();
      await rtc.disconnect();
    },
    async close() {
      quiet();
      await rtc[Symbol.asyncDispose]();
      await gateway.close();
    },
  };
}
