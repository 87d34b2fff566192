/** Owns what the relay asks of whoever holds a voice channel for a page. Refuses to know RTP, bots and Discord. */
import type { MediaCodec } from '@guildkit/core/wire';

/** Encoded audio, one Opus packet. */
export interface SeatAudio {
  readonly payload: Uint8Array;
  /** In ticks of 48 kHz, modulo 2^32. */
  readonly timestamp: number;
}

/** One encoded picture. */
export interface SeatVideo {
  readonly codec: Exclude<MediaCodec, 'none' | 'opus'>;
  readonly keyframe: boolean;
  readonly payload: Uint8Array;
  /** In ticks of 90 kHz, modulo 2^32. */
  readonly timestamp: number;
}

/** Someone in the channel. */
export interface FromUser {
  readonly userId: string;
}

/**
 * A page's place in a voice channel: for instance a `DiscordRtcClient` of a bot of the pool. None of these may throw.
 * Listeners are called until the function they gave is called.
 */
export interface MediaSeat {
  /** What the page says, shown as its player. */
  sendAudio(frame: SeatAudio): void;
  /** What the page shows. */
  sendVideo(frame: SeatVideo): void;
  /** What others say. */
  onAudio(listener: (frame: SeatAudio & FromUser) => void): () => void;
  /** What others show. */
  onVideo(listener: (frame: SeatVideo & FromUser) => void): () => void;
  /** Asks someone in the channel for a keyframe: the page lost a part of their video. */
  requestKeyframe?(userId: string): void;
  /** Someone in the channel asks the page for a keyframe. */
  onKeyframeRequest?(listener: () => void): () => void;
  /** Someone stopped sending, or left. */
  onLeft?(listener: (userId: string) => void): () => void;
  /** The seat is gone: kicked, or the channel was deleted. */
  onEnded?(listener: () => void): () => void;
}
