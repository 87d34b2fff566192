/** Owns what a sandbox shows of its voice side. */
import type { MediaStats } from '../io/media-server.js';
import type { VoiceCounters } from '../io/voice-hub.js';
import type { DaveCounters, DaveView } from './dave-service-types.js';

/** A stream of video that a client may send. */
export interface VoiceStreamView {
  /** `video`, or `screen`. */
  readonly type: string;
  /** Name of the layer in simulcast. */
  readonly rid: string;
  /** SSRC of the stream. */
  readonly ssrc: number;
  /** SSRC of its retransmissions. */
  readonly rtxSsrc: number;
}

/** One voice session, as it is now. */
export interface VoiceSessionView {
  /** The bot's user id. */
  readonly userId: string;
  /** The guild. */
  readonly guildId: string;
  /** The voice channel. */
  readonly channelId: string;
  /** Whether its WebSocket is open; else it waits for Resume. */
  readonly connected: boolean;
  /** `selecting`: waits for Select Protocol; `preparing`: its cipher is made; `live`: it has its description. */
  readonly stage: 'selecting' | 'preparing' | 'live';
  /** Transport encryption; `undefined` before the description. */
  readonly mode: string | undefined;
  /** `max_dave_protocol_version` of its Identify. */
  readonly daveVersion: number;
  /** SSRC of its voice. */
  readonly audioSsrc: number;
  /** Its streams of video, as Ready named them. */
  readonly streams: readonly VoiceStreamView[];
  /** Speaking bits of its last opcode 5; `undefined` when there was none. */
  readonly speaking: number | undefined;
  /** SSRCs of video that opcode 12 announced as active. */
  readonly video: readonly number[];
  /** What it wants to receive (opcode 15): 0 to 100 by SSRC, and for all others. */
  readonly wants: { readonly any: number; readonly bySsrc: Readonly<Record<number, number>> };
  /** Its packets, and those that were dropped, by reason. */
  readonly media: Readonly<MediaStats>;
}

/** One voice channel in use. */
export interface VoiceChannelView {
  /** Everyone whose streams are forwarded, people too. */
  readonly userIds: readonly string[];
  /** How end-to-end encryption stands; `undefined` when the channel has none. */
  readonly dave: { readonly view: DaveView; readonly counters: DaveCounters } | undefined;
}

/** The voice side of a sandbox. */
export interface SandboxVoice {
  /** Host and port of the voice gateway, as VOICE_SERVER_UPDATE names it: without a scheme. */
  readonly endpoint: string;
  /** Where media go. */
  readonly media: { readonly address: string; readonly port: number };
  /** Live: read them again for what happened since. */
  readonly counters: VoiceCounters;
  /** Packets of all clients, and of senders that are none. Live. */
  readonly packets: Readonly<MediaStats>;
  /** Every session. */
  sessions(): readonly VoiceSessionView[];
  /** A channel in use; `undefined` for any other. */
  channel(channelId: string): VoiceChannelView | undefined;
}
