/**
 * Owns who gets which part of an RTCP datagram: reports and requests go to whom they are about, what a sender says of
 * itself goes to everyone. Refuses SSRCs that are not the sender's own.
 */
import type { RtcpPacket } from '@guildkit/rtp';
import type { VoiceRoom } from '../protocol/voice/room.js';

/** Where the packets of a datagram go. */
export interface RtcpRoutes {
  readonly byUser: ReadonlyMap<string, readonly RtcpPacket[]>;
  /** Packets in the name of someone else's SSRC. */
  readonly spoofed: number;
  /** Packets about nobody who is there, and of types that are not forwarded. */
  readonly aimless: number;
}

/** Splits a compound datagram. */
export function routeRtcp(room: VoiceRoom, senderId: string, packets: readonly RtcpPacket[]): RtcpRoutes {
  const byUser = new Map<string, RtcpPacket[]>();
  let spoofed = 0;
  let aimless = 0;

  const give = (userId: string, packet: RtcpPacket): void => {
    const list = byUser.get(userId);
    if (list === undefined) byUser.set(userId, [packet]);
    else list.push(packet);
  };
  const giveAll = (packet: RtcpPacket): void => {
    for (const userId of room.userIds) if (userId !== senderId) give(userId, packet);
  };
  /** Gives each owner its part. */
  const split = <Part>(parts: readonly Part[], ssrcOf: (part: Part) => number, make: (own: Part[]) => RtcpPacket) => {
    const owned = new Map<string, Part[]>();
    for (const part of parts) {
      const owner = room.ownerOf(ssrcOf(part));
      if (owner === undefined || owner === senderId) aimless += 1;
      else owned.set(owner, [...(owned.get(owner) ?? []), part]);
    }
    for (const [owner, own] of owned) give(owner, make(own));
  };
  const toOwner = (ssrc: number, packet: RtcpPacket): void =>
    split(
      [ssrc],
      (it) => it,
      () => packet,
    );
  const isOwn = (ssrc: number): boolean => room.ownerOf(ssrc) === senderId;

  for (const packet of packets) {
    if (!sourcesOf(packet).every(isOwn)) {
      spoofed += 1;
      continue;
    }
    switch (packet.type) {
      case 'senderReport':
        giveAll({ ...packet, reports: [] });
        split(
          packet.reports,
          ({ ssrc }) => ssrc,
          (reports) => ({ type: 'receiverReport', ssrc: packet.ssrc, reports }),
        );
        break;
      case 'receiverReport':
        split(
          packet.reports,
          ({ ssrc }) => ssrc,
          (reports) => ({ ...packet, reports }),
        );
        break;
      case 'sourceDescription':
      case 'goodbye':
        giveAll(packet);
        break;
      case 'nack':
      case 'pictureLossIndication':
      case 'transportFeedback':
        toOwner(packet.mediaSsrc, packet);
        break;
      case 'fullIntraRequest':
        split(
          packet.requests,
          ({ ssrc }) => ssrc,
          (requests) => ({ ...packet, requests }),
        );
        break;
      case 'receiverEstimatedBitrate':
        split(
          packet.ssrcs,
          (ssrc) => ssrc,
          (ssrcs) => ({ ...packet, ssrcs }),
        );
        break;
      case 'unknown':
        aimless += 1;
        break;
    }
  }
  return { byUser, spoofed, aimless };
}

/** In whose name a packet speaks. */
function sourcesOf(packet: RtcpPacket): readonly number[] {
  switch (packet.type) {
    case 'senderReport':
    case 'receiverReport':
      return [packet.ssrc];
    case 'sourceDescription':
      return packet.chunks.map(({ ssrc }) => ssrc);
    case 'goodbye':
      return packet.ssrcs;
    case 'unknown':
      return [];
    default:
      return [packet.senderSsrc];
  }
}
