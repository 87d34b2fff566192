/** Owns VP8 in RTP (RFC 7741). Of the frame itself it reads the one bit that tells a keyframe. */
import { check, resolveOptions } from '@guildkit/core';
import type { Settings } from '../settings.js';
import { putU16, u8, u16 } from './bytes.js';
import { createFrameAssembler, type Piece } from './frame-assembler.js';
import {
  DEFAULT_MTU,
  depacketizerOptions,
  type MediaFrame,
  mtuCheck,
  type PacketizeOptions,
  type PayloadFormat,
  requireFrame,
  slices,
} from './payload-format.js';

/** Options of `vp8.packetize`. */
export interface Vp8PacketizeOptions extends PacketizeOptions {
  /** 15 bits, one more for each frame. Left out, packets carry none. */
  readonly pictureId?: number | undefined;
  /**
   * No later frame refers to this one.
   *
   * @defaultValue false
   */
  readonly nonReference?: boolean | undefined;
}

/** A VP8 frame that came out of packets. */
export interface Vp8Frame extends MediaFrame {
  readonly keyframe: boolean;
  /** 7 or 15 bits, when the sender numbers its pictures. */
  readonly pictureId: number | undefined;
  /** Temporal layer, 0 being the base. */
  readonly temporalId: number | undefined;
  /** Running number of base layer frames, 8 bits. */
  readonly tl0PicIdx: number | undefined;
}

interface Descriptor {
  readonly pictureId: number | undefined;
  readonly tl0PicIdx: number | undefined;
  readonly temporalId: number | undefined;
  readonly keyframe: boolean;
}

const DEFAULTS: Settings<Vp8PacketizeOptions, 'pictureId'> = {
  mtu: DEFAULT_MTU,
  pictureId: undefined,
  nonReference: false,
};

/** VP8 (RFC 7741). */
export const vp8: PayloadFormat<Vp8PacketizeOptions, Vp8Frame> = {
  packetize(frame, options) {
    const { mtu, pictureId, nonReference } = resolveOptions('vp8.packetize', DEFAULTS, options, {
      mtu: mtuCheck,
      pictureId: check.optional(check.integer(0, 0x7fff)),
      nonReference: check.boolean(),
    });
    requireFrame(frame);
    return slices(frame, mtu, pictureId === undefined ? 1 : 4, (descriptor, isFirst) => {
      // X N S PID (section 4.2): all of the frame counts as partition 0, as the RFC allows.
      descriptor[0] = (nonReference ? 0x20 : 0) | (isFirst ? 0x10 : 0);
      if (pictureId === undefined) return;
      descriptor[0] |= 0x80;
      descriptor[1] = 0x80;
      // M: the 15-bit form.
      putU16(descriptor, 2, 0x8000 | pictureId);
    });
  },
  createDepacketizer(options) {
    const { maxFrameBytes } = depacketizerOptions('vp8.createDepacketizer', options);
    return createFrameAssembler({ read, finish }, maxFrameBytes);
  },
};

function read(payload: Uint8Array): Piece<Descriptor> | undefined {
  const first = u8(payload, 0);
  let at = 1;
  let pictureId: number | undefined;
  let tl0PicIdx: number | undefined;
  let temporalId: number | undefined;
  if ((first & 0x80) !== 0) {
    const present = payload[at] ?? 0;
    at += 1;
    if ((present & 0x80) !== 0) {
      const isLong = ((payload[at] ?? 0) & 0x80) !== 0;
      pictureId = isLong ? u16(payload, at) & 0x7fff : payload[at];
      at += isLong ? 2 : 1;
    }
    if ((present & 0x40) !== 0) {
      tl0PicIdx = payload[at];
      at += 1;
    }
    // TID, Y and KEYIDX share a byte, which is there when either T or K is set.
    if ((present & 0x30) !== 0) {
      if ((present & 0x20) !== 0) temporalId = (payload[at] ?? 0) >> 6;
      at += 1;
    }
  }
  // A packet holds at least one byte of the frame. This is the one check of bounds: reads above give zeros.
  if (at >= payload.length) return undefined;
  return {
    // S set and PID 0: the first packet of the first partition.
    place: (first & 0x17) === 0x10 ? 'first' : 'inside',
    parts: [payload.subarray(at)],
    // The inverse key frame flag (section 4.3); DAVE leaves it clear.
    facts: { pictureId, tl0PicIdx, temporalId, keyframe: (u8(payload, at) & 1) === 0 },
  };
}

function finish(base: MediaFrame, facts: readonly Descriptor[]): Vp8Frame {
  const { keyframe, pictureId, temporalId, tl0PicIdx } = facts[0] as Descriptor;
  return { ...base, keyframe, pictureId, temporalId, tl0PicIdx };
}
