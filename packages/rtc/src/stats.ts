/** Owns the shape of the client's figures. Types only. */
import type { EncryptionMode } from '@guildkit/rtp';
import type { DaveActivity, DaveStats } from './dave/dave.js';
import type { MediaStats } from './media/media-stats.js';
import type { VoicePhase } from './protocol/voice-types.js';

/** The voice gateway since the client was made. */
export interface GatewayStats {
  /** Of the last heartbeat. */
  readonly latencyMs: number | undefined;
  readonly messages: number;
  /** Messages that could not be read. */
  readonly malformed: number;
  /** Messages that a resume repeated. */
  readonly duplicates: number;
  /** Messages that came when they have no meaning. */
  readonly unexpected: number;
  /** Sessions that were lost; new ones were made. */
  readonly reconnects: number;
  /** Sockets that were lost without losing the session. */
  readonly resumes: number;
}

/** The UDP path. Keepalive figures are of the session, the others since the client was made. */
export interface PathStats {
  /** How the server sees us. */
  readonly externalAddress: string | undefined;
  readonly packetsSent: number;
  readonly bytesSent: number;
  /** Packets that could not be sent: no session, or the socket refused. */
  readonly packetsUnsent: number;
  readonly packetsReceived: number;
  readonly bytesReceived: number;
  /** Packets that could not be decrypted: forged, damaged, or of a session before. */
  readonly packetsForged: number;
  /** Packets that are none. */
  readonly packetsMalformed: number;
  readonly keepalivesSent: number;
  readonly keepalivesAnswered: number;
  readonly keepalivesLost: number;
  /** Smoothed, of keepalives. */
  readonly roundTripMs: number | undefined;
}

/** End-to-end encryption. */
export interface EncryptionStats extends DaveStats {
  readonly activity: DaveActivity;
}

/** All figures of a client. */
export interface RtcStats extends MediaStats {
  readonly state: VoicePhase;
  readonly channelId: string | undefined;
  /** Transport encryption. */
  readonly mode: EncryptionMode | undefined;
  readonly gateway: GatewayStats;
  readonly path: PathStats;
  /** `undefined` where the call goes without. */
  readonly dave: EncryptionStats | undefined;
}
