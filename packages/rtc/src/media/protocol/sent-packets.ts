/** Owns what was sent of a video stream, for sending it again (RFC 4588). A ring: bounded by packets, each by the MTU. */
import type { RtpPacketInit } from '@guildkit/rtp';

/** One and a half seconds of 1080p at 6 Mbit/s; 1.2 MB at most. */
const CAPACITY = 1_024;
/** Two receivers that ask for the same packet get one answer. */
const RESEND_INTERVAL_MS = 20;
/** In each second, so that no one can make us flood the others. */
const MAX_RESENT_PER_SECOND = 1_000;

/** Remembers sent packets. */
export interface SentPackets {
  add(packet: RtpPacketInit): void;
  /** The packet, if it is remembered, was not sent again just now, and not too many were. */
  take(sequenceNumber: number, now: number): RtpPacketInit | undefined;
}

interface Sent {
  readonly packet: RtpPacketInit;
  resentAt: number;
}

/** Makes the memory of one stream. */
export function createSentPackets(): SentPackets {
  const ring: (Sent | undefined)[] = new Array(CAPACITY).fill(undefined);
  let second = 0;
  let resent = 0;
  return {
    add(packet) {
      ring[packet.sequenceNumber % CAPACITY] = { packet, resentAt: Number.NEGATIVE_INFINITY };
    },
    take(sequenceNumber, now) {
      const sent = ring[sequenceNumber % CAPACITY];
      if (sent?.packet.sequenceNumber !== sequenceNumber || now - sent.resentAt < RESEND_INTERVAL_MS) return undefined;
      if (now - second >= 1_000) {
        second = now;
        resent = 0;
      }
      if (resent >= MAX_RESENT_PER_SECOND) return undefined;
      resent += 1;
      sent.resentAt = now;
      return sent.packet;
    },
  };
}
