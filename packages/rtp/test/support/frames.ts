/** Frames as encoders make them, and how they travel: packets, losses, repeats. */
import {
  type Depacketizer,
  h264,
  type MediaFrame,
  type MediaPacket,
  opus,
  type RtpPayload,
  vp8,
  vp9,
} from '@guildkit/rtp';
import fc from 'fast-check';
import { bytes } from './arbitraries.js';
import { annexB } from './bytes.js';

/** A frame of a codec and how it is packetized. */
export interface Sample {
  readonly data: Uint8Array;
  readonly keyframe: boolean | undefined;
}

/** A payload format with frames to try it on. */
export interface FormatCase {
  readonly name: string;
  readonly sample: fc.Arbitrary<Sample>;
  packetize(sample: Sample, n: number, mtu: number): readonly RtpPayload[];
  createDepacketizer(options?: { readonly maxFrameBytes?: number }): Depacketizer<MediaFrame & { keyframe?: boolean }>;
}

const withFirst = (first: number, rest: Uint8Array): Uint8Array => Uint8Array.from([first, ...rest]);

const vp8Sample = fc
  .tuple(fc.boolean(), bytes(300))
  .map(([keyframe, rest]) => ({ data: withFirst(keyframe ? 0x10 : 0x11, rest), keyframe }));
const vp9Sample = fc
  .tuple(fc.boolean(), bytes(300))
  .map(([keyframe, rest]) => ({ data: withFirst(keyframe ? 0x82 : 0x86, rest), keyframe }));

/** A NAL unit whose body holds no start code and ends in no zero, as emulation prevention sees to. */
const unit = (type: number): fc.Arbitrary<Uint8Array> =>
  fc.tuple(fc.integer({ min: 0, max: 3 }), bytes(200)).map(([importance, body]) =>
    withFirst(
      (importance << 5) | type,
      body.map((byte) => byte || 0x80),
    ),
  );
const slices = (type: number): fc.Arbitrary<Uint8Array[]> => fc.array(unit(type), { minLength: 1, maxLength: 3 });
const h264Sample = fc.oneof(
  fc
    .tuple(unit(7), unit(8), slices(5))
    .map(([sps, pps, idr]) => ({ data: annexB([sps, pps, ...idr]), keyframe: true })),
  fc.tuple(unit(9), slices(1)).map(([delimiter, slice]) => ({ data: annexB([delimiter, ...slice]), keyframe: false })),
  slices(1).map((slice) => ({ data: annexB(slice), keyframe: false })),
);

const opusSample = bytes(100, 1).map((data) => ({ data, keyframe: undefined }));

export const FORMATS: readonly FormatCase[] = [
  {
    name: 'vp8',
    sample: vp8Sample,
    packetize: ({ data }, n, mtu) => vp8.packetize(data, { mtu, pictureId: n & 0x7fff }),
    createDepacketizer: vp8.createDepacketizer,
  },
  {
    name: 'vp9',
    sample: vp9Sample,
    packetize: ({ data }, n, mtu) => vp9.packetize(data, { mtu, pictureId: n & 0x7fff }),
    createDepacketizer: vp9.createDepacketizer,
  },
  {
    name: 'h264',
    sample: h264Sample,
    packetize: ({ data }, _n, mtu) => h264.packetize(data, { mtu }),
    createDepacketizer: h264.createDepacketizer,
  },
  {
    name: 'opus',
    sample: opusSample,
    packetize: ({ data }, _n, mtu) => opus.packetize(data, { mtu: Math.max(mtu, 100) }),
    createDepacketizer: opus.createDepacketizer,
  },
];

/** A packet under way, with the number of its frame. */
export interface Sent extends MediaPacket {
  readonly frame: number;
}

/** The packets of a stream. Timestamp and sequence number begin shortly before they wrap. */
export function send(format: FormatCase, samples: readonly Sample[], mtu: number, firstSequence = 65_530): Sent[] {
  let sequenceNumber = firstSequence;
  return samples.flatMap((sample, frame) =>
    format.packetize(sample, frame, mtu).map(({ payload, marker }) => {
      const packet = { sequenceNumber, timestamp: (0xffff_f000 + frame * 3_000) >>> 0, marker, payload, frame };
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
      return packet;
    }),
  );
}
