/**
 * Owns what the connection understands of a received message, after decoding, and what it sends of its own. Refuses what
 * concerns media and end-to-end encryption: that passes through as opaque news.
 */
import type { Redacted } from '@guildkit/core';
import type { EncryptionMode } from '@guildkit/rtp';
import type { CodecName } from './voice-codecs.js';

/** Opcodes of the voice gateway (Discord docs, Opcodes and Status Codes: Voice). */
export const VOICE_OPCODES = {
  identify: 0,
  selectProtocol: 1,
  ready: 2,
  heartbeat: 3,
  sessionDescription: 4,
  speaking: 5,
  heartbeatAck: 6,
  resume: 7,
  hello: 8,
  resumed: 9,
  clientsConnect: 11,
  video: 12,
  clientDisconnect: 13,
  sessionUpdate: 14,
  mediaSinkWants: 15,
  backendVersion: 16,
  channelOptions: 17,
  clientFlags: 18,
  clientPlatform: 20,
  davePrepareTransition: 21,
  daveExecuteTransition: 22,
  daveTransitionReady: 23,
  davePrepareEpoch: 24,
  daveExternalSender: 25,
  daveKeyPackage: 26,
  daveProposals: 27,
  daveCommitWelcome: 28,
  daveAnnounceCommit: 29,
  daveWelcome: 30,
  daveInvalidCommitWelcome: 31,
  noRoute: 32,
} as const;

/** A video stream that the server gives us numbers for. */
export interface OfferedStream {
  readonly ssrc: number;
  readonly rtxSsrc: number;
  readonly rid: string;
  readonly quality: number;
}

/** What READY says. */
export interface ServerOffer {
  readonly ssrc: number;
  readonly ip: string;
  readonly port: number;
  /** As the server names them; unknown ones included. */
  readonly modes: readonly string[];
  readonly streams: readonly OfferedStream[];
}

/** What SESSION DESCRIPTION says. */
export interface SessionDescription {
  readonly mode: EncryptionMode;
  readonly secretKey: Redacted<Uint8Array>;
  readonly daveVersion: number;
  /** `undefined`: none, or one we do not know. */
  readonly videoCodec: CodecName | undefined;
}

/** A received message. `News` is opaque here. */
export type VoiceFrame<News> =
  | { readonly kind: 'hello'; readonly heartbeatIntervalMs: number }
  | { readonly kind: 'heartbeatRequest' }
  | { readonly kind: 'heartbeatAck' }
  | { readonly kind: 'ready'; readonly offer: ServerOffer }
  | { readonly kind: 'sessionDescription'; readonly description: SessionDescription }
  | { readonly kind: 'resumed' }
  /** Of no concern, but numbered. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'news'; readonly news: News };

/** What proves to the voice server who we are. */
export interface Credentials {
  readonly sessionId: string;
  readonly token: Redacted;
}

/** A message that the connection sends by itself. */
export type VoiceControl =
  | ({ readonly kind: 'identify' } & Credentials)
  | ({ readonly kind: 'resume'; readonly seqAck: number } & Credentials)
  | { readonly kind: 'heartbeat'; readonly nonce: number; readonly seqAck: number }
  | { readonly kind: 'selectProtocol'; readonly address: string; readonly port: number; readonly mode: EncryptionMode };
