/**
 * Owns the port between media and connection: what media may ask of a voice connection and what it is told. Types only.
 * The connection implements {@link MediaTransport} over all its sockets and sessions; media never sees a socket, a key or a
 * gateway. Packets on this port are plain: the connection seals and opens them. Frames are protected by
 * {@link MediaTransport.encryptFrame} before they are packetized and {@link MediaTransport.decryptFrame} after.
 */
import type { Clock, Logger, Unsubscribe } from '@guildkit/core';
import type { EncryptionMode, RtcpPacket, RtpPacket, RtpPacketInit } from '@guildkit/rtp';
import type { CodecName, VideoCodec } from '../protocol/voice-codecs.js';

/** One of the video streams that the server has given us numbers for (docs, Voice: opcode 2, `streams`). */
export interface LocalVideoStream {
  readonly ssrc: number;
  /** SSRC of retransmissions. */
  readonly rtxSsrc: number;
  /** Simulcast layer. */
  readonly rid: string;
  /** 0 to 100. */
  readonly quality: number;
}

/** What one session of the voice server has agreed on. A new one has new SSRCs and a new key. */
export interface MediaSession {
  /** Counts up with each session. */
  readonly generation: number;
  readonly userId: string;
  readonly channelId: string;
  readonly audioSsrc: number;
  /** Best first; empty when the server gives no video. */
  readonly videoStreams: readonly LocalVideoStream[];
  /** What is to be sent, chosen by the server from our list; `undefined` when no codec suits both. */
  readonly videoCodec: VideoCodec | undefined;
  readonly mode: EncryptionMode;
}

/** Ids of header extensions in packets that are sent. `undefined` leaves one out. Sources differ, so they can be set. */
export interface RtpHeaderExtensionIds {
  /** RFC 6464. */
  readonly audioLevel?: number | undefined;
  /** WebRTC's `playout-delay`: 5 or 6. */
  readonly playoutDelay?: number | undefined;
}

/** What others are told of our video (docs, Voice: opcode 12). */
export interface VideoAnnouncement {
  readonly streams: readonly {
    readonly ssrc: number;
    readonly rtxSsrc: number;
    readonly rid: string;
    readonly quality: number;
    readonly active: boolean;
    /** Bits a second. */
    readonly maxBitrate: number;
    readonly maxFramerate: number;
    readonly width: number;
    readonly height: number;
  }[];
}

/** A video stream of someone else, as opcode 12 tells it. Numbers that were not told are 0. */
export interface RemoteVideoStream {
  readonly ssrc: number;
  readonly rtxSsrc: number;
  readonly rid: string;
  readonly quality: number;
  readonly active: boolean;
  readonly maxBitrate: number;
  readonly maxFramerate: number;
  readonly width: number;
  readonly height: number;
}

/** Opcode 5: who speaks by which SSRC. Comes before the first packet, or after it. */
export interface RemoteSpeaking {
  readonly userId: string;
  readonly ssrc: number;
  /** 1 microphone, 2 soundshare, 4 priority. */
  readonly flags: number;
}

/** Opcode 12: who shows what. No streams: the video has ended. */
export interface RemoteVideo {
  readonly userId: string;
  /** 0 when not told. */
  readonly audioSsrc: number;
  /** 0 when not told or ended. */
  readonly videoSsrc: number;
  readonly rtxSsrc: number;
  readonly streams: readonly RemoteVideoStream[];
}

/** Opcode 15: quality wanted, 0 to 100, by SSRC; `any` for those not named. */
export interface MediaSinkWants {
  readonly any?: number | undefined;
  /** By SSRC in decimal digits. */
  readonly ssrcs: Readonly<Record<string, number>>;
}

/** What the connection tells media. Called in turn, never inside a call of media into the transport. */
export interface MediaTransportListener {
  /**
   * The server has agreed on a session (new, or after a lost one: then SSRCs have changed) or it is lost (`undefined`).
   * A short cut after which the session is resumed tells nothing: the connection repeats what was announced by itself. With
   * a new session it repeats the speaking flags only: announce video and sink wants anew, their SSRCs are others.
   */
  onSession?(session: MediaSession | undefined): void;
  /** An opened packet. Its byte arrays are its own: they may be kept. `arrivedAt` on the transport's clock. */
  onRtp?(packet: RtpPacket, arrivedAt: number): void;
  onRtcp?(packets: readonly RtcpPacket[], arrivedAt: number): void;
  onSpeaking?(speaking: RemoteSpeaking): void;
  onVideo?(video: RemoteVideo): void;
  /** Opcode 11, and again with each new session. Not the own id. */
  onUsersJoined?(userIds: readonly string[]): void;
  /** Opcode 13. All of a user's SSRCs are void. A lost session voids all users without it. */
  onUserLeft?(userId: string): void;
  /** There are new keys: frames that were refused with `noKey` may be tried again. */
  onKeys?(): void;
  /** The server has changed its mind about the video codec; it is in {@link MediaTransport.session}. */
  onCodec?(codec: VideoCodec | undefined): void;
  /** What the server wants of what we send. */
  onSinkWants?(wants: MediaSinkWants): void;
}

/** Why a frame could not be decrypted. */
export type FrameProblem = 'noKey' | 'forged';

/** What media may ask of the connection. Outlives its sessions. */
export interface MediaTransport {
  readonly clock: Clock;
  readonly logger: Logger;
  /** `undefined` while there is none. */
  readonly session: MediaSession | undefined;
  readonly headerExtensions: RtpHeaderExtensionIds;
  /** Seals and sends; `false` when there is no session or the socket refused: the packet is gone. Never throws for that. */
  sendRtp(packet: RtpPacketInit): boolean;
  /** Seals and sends one compound. As {@link sendRtp}. */
  sendRtcp(packets: readonly RtcpPacket[]): boolean;
  /** Tells others; bits as in {@link RemoteSpeaking.flags}, 0 for silence. Kept, and sent when there is a session. Repeats of the same are not sent. */
  setSpeaking(flags: number): void;
  /** Tells others of our video; `undefined` ends it. Kept as {@link setSpeaking}. */
  announceVideo(video: VideoAnnouncement | undefined): void;
  /** Tells the server which qualities are wanted. Kept as {@link setSpeaking}. */
  setSinkWants(wants: MediaSinkWants): void;
  /**
   * End-to-end encrypts a whole encoded frame; the frame itself where the call goes without. `undefined`: it must not be
   * sent now (a group is being made and unencrypted frames are no longer allowed), drop it.
   */
  encryptFrame(codec: CodecName, frame: Uint8Array): Uint8Array | undefined;
  /** Takes end-to-end encryption off a whole frame (for audio: one packet's payload). */
  decryptFrame(
    userId: string,
    codec: CodecName,
    frame: Uint8Array,
  ): { readonly ok: true; readonly frame: Uint8Array } | { readonly ok: false; readonly reason: FrameProblem };
  /** Adds a listener. */
  listen(listener: MediaTransportListener): Unsubscribe;
}
