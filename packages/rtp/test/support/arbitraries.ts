/** fast-check arbitraries of everything the package builds. */
import type { RtcpPacket, RtpPacketInit } from '@guildkit/rtp';
import fc from 'fast-check';

export const u8 = fc.integer({ min: 0, max: 0xff });
export const u16 = fc.integer({ min: 0, max: 0xffff });
export const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
export const bytes = (maxLength: number, minLength = 0): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });

const extensionBody = fc.integer({ min: 0, max: 6 }).chain((n) => bytes(n * 4, n * 4));

/** Any RTP packet. */
export const rtpPacket: fc.Arbitrary<RtpPacketInit> = fc.record({
  marker: fc.boolean(),
  payloadType: fc.oneof(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 96, max: 127 })),
  sequenceNumber: u16,
  timestamp: u32,
  ssrc: u32,
  csrcs: fc.array(u32, { maxLength: 15 }),
  extension: fc.option(fc.record({ profile: u16, data: extensionBody }), { nil: undefined }),
  payload: bytes(60),
  paddingLength: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 255 })),
});

const report = fc.record({
  ssrc: u32,
  fractionLost: u8,
  packetsLost: fc.integer({ min: -0x80_0000, max: 0x7f_ffff }),
  highestSequenceNumber: u32,
  jitter: u32,
  lastSenderReport: u32,
  delaySinceLastSenderReport: u32,
});
const reports = fc.array(report, { maxLength: 31 });
const feedback = { senderSsrc: u32, mediaSsrc: u32 };
const is = <T extends string>(type: T): fc.Arbitrary<T> => fc.constant(type);

/** Ascending sequence numbers, across the wrap, too. */
const lostNumbers = fc
  .tuple(u16, fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 30 }))
  .map(([first, steps]) => {
    let number = first;
    return [first, ...steps.map((step) => (number = (number + step) & 0xffff))];
  });

/** Any RTCP packet of a known type; `unknown` ones of types that stay unknown. */
export const rtcpPacket: fc.Arbitrary<RtcpPacket> = fc.oneof(
  fc.record({
    type: is('senderReport'),
    ssrc: u32,
    ntpTime: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    rtpTimestamp: u32,
    packetCount: u32,
    octetCount: u32,
    reports,
  }),
  fc.record({ type: is('receiverReport'), ssrc: u32, reports }),
  fc.record({
    type: is('sourceDescription'),
    chunks: fc.array(
      fc.record({
        ssrc: u32,
        items: fc.array(fc.record({ type: fc.integer({ min: 1, max: 255 }), text: bytes(255) }), { maxLength: 4 }),
      }),
      { maxLength: 5 },
    ),
  }),
  fc.record({ type: is('goodbye'), ssrcs: fc.array(u32, { maxLength: 31 }) }),
  fc.record({ type: is('goodbye'), ssrcs: fc.array(u32, { maxLength: 31 }), reason: bytes(255) }),
  fc.record({ type: is('nack'), ...feedback, sequenceNumbers: lostNumbers }),
  fc.record({ type: is('pictureLossIndication'), ...feedback }),
  fc.record({
    type: is('fullIntraRequest'),
    ...feedback,
    requests: fc.array(fc.record({ ssrc: u32, sequenceNumber: u8 }), { maxLength: 5 }),
  }),
  fc.record({
    type: is('receiverEstimatedBitrate'),
    ...feedback,
    bitsPerSecond: fc
      .tuple(fc.integer({ min: 0, max: 0x3ffff }), fc.integer({ min: 0, max: 63 }))
      .map(([mantissa, exponent]) => mantissa * 2 ** exponent),
    ssrcs: fc.array(u32, { maxLength: 20 }),
  }),
  fc.record({ type: is('transportFeedback'), ...feedback, data: bytes(40) }),
  fc.record({
    type: is('unknown'),
    packetType: fc.constantFrom(192, 195, 204, 207, 223),
    count: fc.integer({ min: 0, max: 31 }),
    body: bytes(60),
  }),
);
