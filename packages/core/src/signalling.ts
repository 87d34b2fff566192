/** Owns the seam between a gateway connection and a voice connection, so that neither package imports the other. */
import type { Unsubscribe } from './emitter.js';

/** The fields of Discord's voice state that a voice connection needs (Discord docs, Voice: Voice State Object). */
export interface VoiceStateSignal {
  readonly guildId: string;
  readonly userId: string;
  /** `null` after leaving. */
  readonly channelId: string | null;
  readonly sessionId: string;
}

/** Discord's Voice Server Update (Discord docs, Gateway Events). `endpoint: null`: wait for the next one. */
export interface VoiceServerSignal {
  readonly guildId: string;
  readonly token: string;
  readonly endpoint: string | null;
}

/** Gateway opcode 4 (Discord docs, Gateway Events: Update Voice State). */
export interface VoiceStateRequest {
  readonly guildId: string;
  /** `null` leaves. */
  readonly channelId: string | null;
  readonly selfMute: boolean;
  readonly selfDeaf: boolean;
}

/** What a voice connection asks of a gateway connection. */
export interface VoiceSignalling {
  /** The bot's own user id; `undefined` until the gateway is ready. */
  readonly userId: string | undefined;
  /** Joins, moves or leaves by gateway opcode 4; resolves when it was sent. */
  sendVoiceState(request: VoiceStateRequest): Promise<void>;
  /** Calls back for every voice state of every guild; the listener picks its own. */
  onVoiceState(listener: (state: VoiceStateSignal) => void): Unsubscribe;
  /** Calls back for every voice server update. */
  onVoiceServer(listener: (server: VoiceServerSignal) => void): Unsubscribe;
}
