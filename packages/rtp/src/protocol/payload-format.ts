/** Owns what all payload formats have in common: their shape, their options, and the split of a frame into packets. */
import { check, resolveOptions } from '@guildkit/core';
import { RtpError } from '../errors.js';
import type { Settings } from '../settings.js';
import type { RtpPacket } from './rtp-packet.js';

/** The payload of one packet to be sent, in order. */
export interface RtpPayload {
  readonly payload: Uint8Array;
  /** What the packet's marker bit has to be. */
  readonly marker: boolean;
}

/** What a depacketizer looks at in a packet; an `RtpPacket` fits. */
export type MediaPacket = Pick<RtpPacket, 'sequenceNumber' | 'timestamp' | 'marker' | 'payload'>;

/** A whole frame that came out of packets. */
export interface MediaFrame {
  /** May be a view of the packet it came in. Still encrypted where DAVE is used. */
  readonly data: Uint8Array;
  /** RTP timestamp. */
  readonly timestamp: number;
  /** Sequence number of its first packet. */
  readonly sequenceNumber: number;
  /** Packets or whole frames between the frame before and this one are missing. */
  readonly discontinuity: boolean;
}

/** What a depacketizer has counted. */
export interface DepacketizerStats {
  /** Frames handed out. */
  readonly frames: number;
  /** Frames of which some packets came, but not all. */
  readonly dropped: number;
  /** Packets whose payload the format does not allow. */
  readonly malformed: number;
  /** Packets that came again or too late. */
  readonly ignored: number;
}

/** Puts the packets of one stream together to frames. Tolerates loss; packets have to come in order. */
export interface Depacketizer<Frame extends MediaFrame> {
  /**
   * Takes the next packet. Never throws, whatever the payload.
   *
   * @returns The frames it completes: none or one; two when it also shows that the frame before had ended.
   */
  push(packet: MediaPacket): readonly Frame[];
  /** Forgets what is incomplete, as for a stream that begins anew. Counts stay. */
  reset(): void;
  readonly stats: DepacketizerStats;
}

/** Options of every depacketizer of video. */
export interface DepacketizerOptions {
  /**
   * Bytes of the largest frame; larger ones are dropped.
   *
   * @defaultValue 4 MiB: eight times a generous keyframe at 1080p
   */
  readonly maxFrameBytes?: number | undefined;
}

/** Options of every `packetize`. */
export interface PacketizeOptions {
  /**
   * Bytes of the largest payload, its descriptor included. The datagram is larger by the header (12 and up) and the
   * cipher (20 to 40).
   *
   * @defaultValue 1,120: with an extension and any cipher the datagram stays within 1,200 bytes
   */
  readonly mtu?: number | undefined;
}

/** A payload format: frames to payloads and back. */
export interface PayloadFormat<Options extends PacketizeOptions, Frame extends MediaFrame> {
  /**
   * Splits one frame into the payloads of its packets.
   *
   * @throws RtpError `ERR_RTP_FRAME_INVALID`, `ERR_RTP_FRAME_OVERSIZED` or `ERR_RTP_FIELD_INVALID`.
   * @throws TypeError for an option that is unknown or out of range.
   */
  packetize(frame: Uint8Array, options?: Options): readonly RtpPayload[];
  /**
   * Makes the receiving side of one stream.
   *
   * @throws TypeError for an option that is unknown or out of range.
   */
  createDepacketizer(options?: DepacketizerOptions): Depacketizer<Frame>;
}

const DEPACKETIZER_DEFAULTS: Settings<DepacketizerOptions> = { maxFrameBytes: 4 * 1024 * 1024 };

/** The default of {@link PacketizeOptions.mtu}. */
export const DEFAULT_MTU = 1_120;

/** Room for the largest descriptor and some payload. */
const MIN_MTU = 24;
const MAX_MTU = 65_000;

/** The check of `mtu`, for each format's own options. */
export const mtuCheck = check.integer(MIN_MTU, MAX_MTU);

/** The options of a depacketizer with their defaults. */
export function depacketizerOptions(
  owner: string,
  options: DepacketizerOptions | undefined,
): Settings<DepacketizerOptions> {
  return resolveOptions(owner, DEPACKETIZER_DEFAULTS, options, {
    maxFrameBytes: check.integer(1, 256 * 1024 * 1024),
  });
}

/** Refuses what is no frame. */
export function requireFrame(frame: Uint8Array): void {
  if (frame.length === 0) throw new RtpError('ERR_RTP_FRAME_INVALID', 'the frame has no bytes');
}

/**
 * The ends of the fewest pieces of at most `max` bytes, as equal in size as they can be: a short last packet costs as
 * much as a full one and is lost as easily.
 */
export function evenEnds(size: number, max: number): number[] {
  const count = Math.ceil(size / max);
  return Array.from({ length: count }, (_, n) => Math.floor((size * (n + 1)) / count));
}

/** Payloads of a frame that is cut anywhere, each behind its descriptor. The last one has the marker. */
export function slices(
  frame: Uint8Array,
  mtu: number,
  descriptorBytes: number,
  describe: (descriptor: Uint8Array, isFirst: boolean, isLast: boolean) => void,
): RtpPayload[] {
  let from = 0;
  return evenEnds(frame.length, mtu - descriptorBytes).map((to) => {
    const payload = new Uint8Array(descriptorBytes + to - from);
    describe(payload, from === 0, to === frame.length);
    payload.set(frame.subarray(from, to), descriptorBytes);
    from = to;
    return { payload, marker: to === frame.length };
  });
}
