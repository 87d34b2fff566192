/** Owns the client's events: one typed map. */
import type { DaveActivity } from './dave/dave.js';
import type { RtcError } from './errors.js';
import type { EndCause, VoicePhase, VoiceReason } from './protocol/voice-types.js';

/** The connection went from one phase to another. */
export interface RtcStateChangeEvent {
  readonly from: VoicePhase;
  readonly to: VoicePhase;
  readonly reason: VoiceReason;
  /** Close code of the voice gateway, if that was the reason. */
  readonly code: number | undefined;
}

/** Someone has put the bot into another channel. The connection follows by itself. */
export interface RtcMovedEvent {
  readonly from: string;
  readonly to: string;
}

/** Someone has begun or ceased to speak. */
export interface RtcSpeakingEvent {
  readonly userId: string;
  readonly speaking: boolean;
  /** 1 microphone, 2 soundshare, 4 priority; as it was last announced. */
  readonly flags: number;
}

/** Someone is in the channel, has come into it, or has left it. */
export interface RtcUserEvent {
  readonly userId: string;
}

/** End-to-end encryption began, ended, or has new keys because members came or went. */
export interface RtcEncryptionEvent {
  readonly activity: DaveActivity;
  /** 30 digits that all members see alike, to be compared out of band; `undefined` while not active. */
  readonly epochCode: string | undefined;
}

/** The bot is out of the channel and does not try to come back. */
export interface RtcDisconnectedEvent {
  /** `closed`: by `disconnect()` or a `connect()` that failed. */
  readonly cause: EndCause;
  /** Close code of the voice gateway, if there was one. */
  readonly code: number | undefined;
  /** `undefined` after `disconnect()`. */
  readonly error: RtcError | undefined;
}

/** Every event of `DiscordRtcClient` by name. */
export interface RtcEvents {
  stateChange: RtcStateChangeEvent;
  moved: RtcMovedEvent;
  speaking: RtcSpeakingEvent;
  userJoined: RtcUserEvent;
  userLeft: RtcUserEvent;
  encryption: RtcEncryptionEvent;
  disconnected: RtcDisconnectedEvent;
  error: RtcError;
}
