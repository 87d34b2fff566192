/** Owns the shapes of RTCP packets. Byte arrays of parsed packets are views of the datagram. */

/** How one source is received: a report block of SR and RR (RFC 3550 section 6.4.1). */
export interface ReceptionReport {
  /** The source this is about. */
  readonly ssrc: number;
  /** Share of packets lost since the last report, 0 to 255 of 256. */
  readonly fractionLost: number;
  /** Packets lost since the beginning, 24 bits signed: duplicates make it negative. */
  readonly packetsLost: number;
  /** Highest sequence number received, extended to 32 bits by its cycles. */
  readonly highestSequenceNumber: number;
  /** Interarrival jitter in units of the payload's clock. */
  readonly jitter: number;
  /** Middle 32 bits of the NTP time of the last SR from this source; 0 when there was none. */
  readonly lastSenderReport: number;
  /** Time since that SR arrived, in 1/65,536 s. */
  readonly delaySinceLastSenderReport: number;
}

/** SR (RFC 3550 section 6.4.1): what a sender has sent and how it receives. */
export interface SenderReport {
  readonly type: 'senderReport';
  readonly ssrc: number;
  /** 64-bit NTP time of this report; `ntpFromUnixMs` makes one. */
  readonly ntpTime: bigint;
  /** The same instant as a timestamp of the stream. */
  readonly rtpTimestamp: number;
  readonly packetCount: number;
  /** Bytes of payload. */
  readonly octetCount: number;
  /** At most 31. */
  readonly reports: readonly ReceptionReport[];
}

/** RR (RFC 3550 section 6.4.2): how someone receives. */
export interface ReceiverReport {
  readonly type: 'receiverReport';
  /** Who reports. */
  readonly ssrc: number;
  /** At most 31. */
  readonly reports: readonly ReceptionReport[];
}

/** One item of a source description. */
export interface SourceItem {
  /** 1 is CNAME (RFC 3550 section 6.5). */
  readonly type: number;
  /** UTF-8, not checked. At most 255 bytes. */
  readonly text: Uint8Array;
}

/** SDES (RFC 3550 section 6.5): who the sources are. */
export interface SourceDescription {
  readonly type: 'sourceDescription';
  /** At most 31. */
  readonly chunks: readonly { readonly ssrc: number; readonly items: readonly SourceItem[] }[];
}

/** BYE (RFC 3550 section 6.6): sources that end. */
export interface Goodbye {
  readonly type: 'goodbye';
  /** At most 31. */
  readonly ssrcs: readonly number[];
  /** UTF-8, not checked. At most 255 bytes. */
  readonly reason?: Uint8Array | undefined;
}

/** What the feedback messages of RFC 4585 have in common. */
export interface Feedback {
  /** Who asks. */
  readonly senderSsrc: number;
  /** The stream it is about; 0 where the message names its streams itself. */
  readonly mediaSsrc: number;
}

/** Generic NACK (RFC 4585 section 6.2.1): packets to be sent again. */
export interface Nack extends Feedback {
  readonly type: 'nack';
  /** Sequence numbers, ascending in a parsed one. */
  readonly sequenceNumbers: readonly number[];
}

/** PLI (RFC 4585 section 6.3.1): a keyframe is needed. */
export interface PictureLossIndication extends Feedback {
  readonly type: 'pictureLossIndication';
}

/** FIR (RFC 5104 section 4.3.1): a keyframe is demanded. */
export interface FullIntraRequest extends Feedback {
  readonly type: 'fullIntraRequest';
  /** `sequenceNumber` (8 bits) grows with each new demand and stays when one is repeated. */
  readonly requests: readonly { readonly ssrc: number; readonly sequenceNumber: number }[];
}

/** REMB (draft-alvestrand-rmcat-remb-03): what the receiver thinks it can take. */
export interface ReceiverEstimatedBitrate extends Feedback {
  readonly type: 'receiverEstimatedBitrate';
  /** Bits per second. The format keeps 18 significant bits: building rounds down. */
  readonly bitsPerSecond: number;
  /** Streams the figure is for. At most 255. */
  readonly ssrcs: readonly number[];
}

/** Transport-wide congestion feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01), carried as it stands. */
export interface TransportFeedback extends Feedback {
  readonly type: 'transportFeedback';
  /** From the base sequence number on, without padding. */
  readonly data: Uint8Array;
}

/** A packet type that this package does not read: XR, APP and others. */
export interface UnknownRtcp {
  readonly type: 'unknown';
  /** 192 to 223. */
  readonly packetType: number;
  /** The five bits that count or name a format. */
  readonly count: number;
  /** Everything behind the four bytes of header, without padding. */
  readonly body: Uint8Array;
}

/** One packet of a compound RTCP datagram. */
export type RtcpPacket =
  | SenderReport
  | ReceiverReport
  | SourceDescription
  | Goodbye
  | Nack
  | PictureLossIndication
  | FullIntraRequest
  | ReceiverEstimatedBitrate
  | TransportFeedback
  | UnknownRtcp;

/** What stands behind an RTCP header, with what the header says of it. */
export interface RtcpBody {
  readonly packetType: number;
  /** The five bits that count or name a format. */
  readonly count: number;
  readonly body: Uint8Array;
}
