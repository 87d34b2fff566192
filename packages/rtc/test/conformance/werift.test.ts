/** Our packets as another implementation reads them. */
import { buildRtcp, buildRtp, h264, toRtx, vp8, vp9 } from '@guildkit/rtp';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';
import {
  dePacketizeRtpPackets,
  GenericNack,
  PictureLossIndication,
  RtcpPacketConverter,
  RtcpSrPacket,
  RtcpTransportLayerFeedback,
  RtpPacket,
  unwrapRtx,
  wrapRtx,
} from 'werift-rtp';
import { createMediaEngine } from '../../src/media/media-engine.js';
import { opusPackets, vp8Frames } from '../support/frames.js';
import { createLink, dice } from '../support/media-link.js';

const random = dice(11);
const noise = (size: number): Uint8Array => Uint8Array.from({ length: size }, () => 2 + random() * 250);

/** Frames of one packet and of many. */
const SIZES = [1, 2, 50, 1_116, 1_117, 1_120, 1_121, 5_000, 40_000];

function packetsOf(payloads: readonly { readonly payload: Uint8Array; readonly marker: boolean }[]): RtpPacket[] {
  return payloads.map(({ payload, marker }, n) =>
    RtpPacket.deSerialize(
      Buffer.from(
        buildRtp({ payloadType: 105, ssrc: 9, sequenceNumber: (65_530 + n) & 0xffff, timestamp: 7, marker, payload }),
      ),
    ),
  );
}

describe('frames as werift-rtp puts them together', () => {
  it.each(SIZES)('VP8 of %d bytes', (size) => {
    for (const isKeyframe of [true, false]) {
      const frame = noise(size);
      frame[0] = isKeyframe ? 0x10 : 0x11;
      const read = dePacketizeRtpPackets('VP8', packetsOf(vp8.packetize(frame, { pictureId: 300 })));
      expect(Buffer.compare(read.data, frame)).toBe(0);
      expect(read.isKeyframe).toBe(isKeyframe);
    }
  });

  it.each(SIZES)('VP9 of %d bytes', (size) => {
    const frame = noise(size);
    frame[0] = 0x82;
    const read = dePacketizeRtpPackets('VP9', packetsOf(vp9.packetize(frame, { pictureId: 300, keyframe: true })));
    expect(Buffer.compare(read.data, frame)).toBe(0);
    expect(read.isKeyframe).toBe(true);
  });

  it.each(SIZES)('H.264 with a slice of %d bytes', (size) => {
    const unit = (head: number, length: number): Uint8Array => Uint8Array.of(0, 0, 0, 1, head, ...noise(length));
    const frame = Buffer.concat([unit(0x67, 12), unit(0x68, 4), unit(0x65, size)]);
    let fragment: Buffer | undefined;
    const parts: Buffer[] = [];
    // Packet by packet: it reads one NAL unit of each packet, or the units of a STAP-A.
    for (const packet of packetsOf(h264.packetize(frame))) {
      const read = dePacketizeRtpPackets('MPEG4/ISO/AVC', [packet], fragment);
      fragment = read.frameFragmentBuffer;
      if (read.data.length > 0) parts.push(read.data);
    }
    expect(Buffer.compare(Buffer.concat(parts), frame)).toBe(0);
  });
});

describe('packets as werift-rtp reads them', () => {
  it('retransmissions, both ways', () => {
    const payload = noise(100);
    const init = { payloadType: 105, ssrc: 5, sequenceNumber: 65_535, timestamp: 99, marker: true, payload };
    const ours = RtpPacket.deSerialize(
      Buffer.from(buildRtp(toRtx(init, { ssrc: 6, payloadType: 106, sequenceNumber: 3 }))),
    );
    const theirs = wrapRtx(RtpPacket.deSerialize(Buffer.from(buildRtp(init))), 106, 3, 6);
    expect(Buffer.compare(ours.serialize(), theirs.serialize())).toBe(0);
    expect(Buffer.compare(unwrapRtx(ours, 105, 5).serialize(), buildRtp(init))).toBe(0);
  });

  it('everything two engines say to each other on a bad network', async () => {
    const clock = createVirtualClock();
    const [left, right] = createLink(clock, { seed: 3, loss: 0.1, jitterMs: 30 });
    const seen = { nack: 0, pli: 0, sr: 0, rtp: 0 };
    for (const side of [left, right]) {
      const { sendRtcp, sendRtp } = side;
      side.sendRtcp = (packets) => {
        // One by one: of a NACK before another packet werift reads that one's head as sequence numbers too.
        const all = packets.flatMap((each) =>
          RtcpPacketConverter.deSerialize(Buffer.from(buildRtcp([each]))).map((read) => [each, read] as const),
        );
        for (const [each, read] of all) {
          if (read instanceof RtcpSrPacket) seen.sr += 1;
          if (read instanceof RtcpTransportLayerFeedback && read.feedback instanceof GenericNack) {
            seen.nack += 1;
            const ours = each as { readonly sequenceNumbers: readonly number[] };
            expect([...read.feedback.lost].sort((a, b) => a - b)).toEqual(
              [...ours.sequenceNumbers].sort((a, b) => a - b),
            );
          }
          const { feedback } = read as { feedback?: unknown };
          if (feedback instanceof PictureLossIndication) seen.pli += 1;
        }
        return sendRtcp(packets);
      };
      side.sendRtp = (packet) => {
        const read = RtpPacket.deSerialize(Buffer.from(buildRtp(packet)));
        expect(read.header.sequenceNumber).toBe(packet.sequenceNumber);
        expect(read.header.ssrc).toBe(packet.ssrc);
        expect(Buffer.compare(read.payload, packet.payload)).toBe(0);
        seen.rtp += 1;
        return sendRtp(packet);
      };
    }
    const sender = createMediaEngine({ transport: left });
    const receiver = createMediaEngine({ transport: right });
    receiver.onVideo(() => {});
    sender.sendAudio(opusPackets(600));
    sender.sendVideo({ codec: 'VP8', frames: vp8Frames(300, 100) });
    await clock.advance(5_000);
    receiver.requestKeyframe('user-0');
    await clock.advance(6_000);
    expect(seen.rtp).toBeGreaterThan(1_000);
    expect(seen.nack).toBeGreaterThan(10);
    expect(seen.pli).toBeGreaterThan(0);
    expect(seen.sr).toBeGreaterThan(1);
    sender.close();
    receiver.close();
  });
});
