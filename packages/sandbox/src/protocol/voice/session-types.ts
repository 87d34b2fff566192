/** Owns the shapes of a voice session: its states, what it takes in, what it wants done (`session.ts` has the rules). */
import type { Redacted } from '@guildkit/core';
import type { VoiceCloseCodeNumber } from './close-codes.js';
import type { CodecClaim, VoiceFrame, VoiceRequest } from './frames.js';

/** The numbers of the protocol. */
export interface VoiceRules {
  readonly heartbeatIntervalMs: number;
  /** How much later than its interval a heartbeat may come. */
  readonly heartbeatGraceMs: number;
  /** Messages that a client may send in a window. */
  readonly messageLimit: number;
  readonly messageWindowMs: number;
  /** How long a session waits for Resume. */
  readonly resumeWindowMs: number;
}

/** A connection: which socket, until when a heartbeat must come, how many messages it has sent. */
export interface VoiceLink {
  readonly socket: number;
  readonly version: number;
  readonly heartbeatBy: number;
  readonly windowEndsAt: number;
  readonly sent: number;
}

/** What a client gets at Identify. */
export interface Seat {
  readonly audioSsrc: number;
  readonly streams: readonly SeatStream[];
  readonly ip: string;
  readonly port: number;
  /** Names of encryption modes: opaque here. */
  readonly modes: readonly string[];
}

/** A stream of video that a client may send. */
export interface SeatStream {
  readonly type: string;
  readonly rid: string;
  readonly quality: number;
  readonly ssrc: number;
  readonly rtxSsrc: number;
}

/** Whose voice connection it is, and how far it has come. */
export interface VoiceSession {
  /** The main gateway's session. */
  readonly id: string;
  readonly userId: string;
  readonly guildId: string;
  readonly channelId: string;
  readonly seat: Seat;
  /** Of DAVE, as the client can; 0 for none. */
  readonly daveVersion: number;
  /** `selecting`: waits for Select Protocol; `preparing`: its cipher is made; `live`: it has its description. */
  readonly stage: 'selecting' | 'preparing' | 'live';
  /** How often it has selected. */
  readonly selections: number;
  readonly codecs: readonly CodecClaim[];
  /** Number of the last numbered message, not wrapped. */
  readonly seq: number;
}

export type VoiceState =
  | { readonly phase: 'fresh'; readonly socket: number }
  | { readonly phase: 'greeting'; readonly link: VoiceLink }
  | { readonly phase: 'open'; readonly link: VoiceLink; readonly session: VoiceSession }
  | { readonly phase: 'detached'; readonly session: VoiceSession; readonly expiresAt: number }
  | { readonly phase: 'ended' };

/** A message of the server: JSON, or bytes behind the opcode. */
export type VoiceMessage =
  | { readonly op: number; readonly d: unknown }
  | { readonly op: number; readonly payload: Uint8Array };

/** What an Identify or Resume is worth. */
export type Admission =
  | { readonly ok: true; readonly channelId: string; readonly seat: Seat }
  | { readonly ok: false; readonly code: VoiceCloseCodeNumber };

/** Where a client wants to go on. */
export interface VoiceResumeClaim {
  readonly guildId: string;
  readonly sessionId: string;
  readonly seqAck: number;
}

/** A cipher is made. */
export interface Description {
  readonly mode: string;
  readonly secretKey: Redacted<readonly number[]>;
  readonly mediaSessionId: string;
  readonly daveVersion: number;
}

export type VoiceInput =
  | { readonly type: 'opened'; readonly version: number }
  /** `admission`: what an Identify is worth; of a Resume only the refusal. */
  | {
      readonly type: 'frame';
      readonly socket: number;
      readonly frame: VoiceFrame;
      readonly admission?: Admission | undefined;
    }
  | { readonly type: 'closed'; readonly socket: number }
  /** Something to tell the client: numbered, kept, and sent when it is there. */
  | { readonly type: 'message'; readonly message: VoiceMessage }
  /** Something that only counts now. */
  | { readonly type: 'notice'; readonly message: VoiceMessage }
  | { readonly type: 'prepared'; readonly selection: number; readonly description: Description }
  /** `oldest`: number of the oldest message that can still be replayed, one more than the last when there is none. */
  | { readonly type: 'adopt'; readonly link: VoiceLink; readonly claim: VoiceResumeClaim; readonly oldest: number }
  | { readonly type: 'handedOver' }
  | { readonly type: 'refused' }
  | { readonly type: 'cut'; readonly close: { readonly code: number; readonly reason: string } | undefined }
  /** The voice state that the session belongs to is no more. */
  | { readonly type: 'end'; readonly code: VoiceCloseCodeNumber }
  | { readonly type: 'expire' };

export type VoiceEffect =
  | { readonly type: 'send'; readonly socket: number; readonly message: VoiceMessage }
  /** Keep a numbered message, and send it when there is a socket. */
  | {
      readonly type: 'deliver';
      readonly socket: number | undefined;
      readonly seq: number;
      readonly message: VoiceMessage;
    }
  | { readonly type: 'replay'; readonly socket: number; readonly after: number; readonly through: number }
  /** The client has seen everything up to there. */
  | { readonly type: 'acknowledge'; readonly through: number }
  | { readonly type: 'close'; readonly socket: number; readonly code: number; readonly reason: string }
  | { readonly type: 'destroy'; readonly socket: number }
  /** A session began. */
  | { readonly type: 'start'; readonly session: VoiceSession }
  /** Make a cipher, then `prepared`. */
  | {
      readonly type: 'prepare';
      readonly session: VoiceSession;
      readonly selection: number;
      readonly mode: string;
    }
  /** The session has its description for the first time: it takes part. */
  | { readonly type: 'enter'; readonly session: VoiceSession }
  | { readonly type: 'request'; readonly session: VoiceSession; readonly request: VoiceRequest }
  /** Find the session of a Resume: `adopt` there, or `refused` here. */
  | { readonly type: 'find'; readonly claim: VoiceResumeClaim; readonly link: VoiceLink }
  /** This actor now owns the socket: its former owner is `handedOver`. */
  | { readonly type: 'take'; readonly socket: number }
  /** Tell the owner of a socket that its Resume is `refused`. */
  | { readonly type: 'refuse'; readonly socket: number }
  /** The session is over. */
  | { readonly type: 'forget'; readonly session: VoiceSession };
