/**
 * Owns VP9 in RTP (RFC 9628), both modes of the descriptor for receiving, one spatial layer for sending. Spatial layers of
 * one picture are joined. Whether a frame is a keyframe stands in the descriptor: with DAVE all of the frame is encrypted.
 */
import { check, resolveOptions } from '@guildkit/core';
import { RtpError } from '../errors.js';
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

/** Options of `vp9.packetize`. */
export interface Vp9PacketizeOptions extends PacketizeOptions {
  /** Whether it is a keyframe. Read from the frame when left out, which an encrypted frame does not allow. */
  readonly keyframe?: boolean | undefined;
  /** 15 bits, one more for each frame. Left out, packets carry none. */
  readonly pictureId?: number | undefined;
}

/** A VP9 picture that came out of packets, all its spatial layers one after another. */
export interface Vp9Frame extends MediaFrame {
  readonly keyframe: boolean;
  /** 7 or 15 bits, when the sender numbers its pictures. */
  readonly pictureId: number | undefined;
  /** Temporal layer, 0 being the base. */
  readonly temporalId: number | undefined;
  /** Spatial layers it has. */
  readonly spatialLayers: number;
  /** Sizes of the layers, lowest first, in frames whose packets tell them. */
  readonly resolutions: readonly { readonly width: number; readonly height: number }[];
}

interface Descriptor {
  readonly pictureId: number | undefined;
  readonly isInter: boolean;
  readonly beginsLayer: boolean;
  readonly temporalId: number | undefined;
  readonly resolutions: { width: number; height: number }[];
}

const DEFAULTS: Settings<Vp9PacketizeOptions, 'keyframe' | 'pictureId'> = {
  mtu: DEFAULT_MTU,
  keyframe: undefined,
  pictureId: undefined,
};

/** Bits of the descriptor's first byte (RFC 9628 section 4.2). */
const PICTURE_ID = 0x80;
const INTER = 0x40;
const LAYERS = 0x20;
const FLEXIBLE = 0x10;
const BEGINS = 0x08;
const ENDS = 0x04;
const STRUCTURE = 0x02;

/** P_DIFF may be repeated so often. */
const MAX_REFERENCES = 3;

/** VP9 (RFC 9628). */
export const vp9: PayloadFormat<Vp9PacketizeOptions, Vp9Frame> = {
  packetize(frame, options) {
    const { mtu, keyframe, pictureId } = resolveOptions('vp9.packetize', DEFAULTS, options, {
      mtu: mtuCheck,
      keyframe: check.optional(check.boolean()),
      pictureId: check.optional(check.integer(0, 0x7fff)),
    });
    requireFrame(frame);
    const isInter = !(keyframe ?? isKeyframe(frame));
    return slices(frame, mtu, pictureId === undefined ? 1 : 3, (descriptor, isFirst, isLast) => {
      descriptor[0] = (isInter ? INTER : 0) | (isFirst ? BEGINS : 0) | (isLast ? ENDS : 0);
      if (pictureId === undefined) return;
      descriptor[0] |= PICTURE_ID;
      putU16(descriptor, 1, 0x8000 | pictureId);
    });
  },
  createDepacketizer(options) {
    const { maxFrameBytes } = depacketizerOptions('vp9.createDepacketizer', options);
    return createFrameAssembler({ read, finish }, maxFrameBytes);
  },
};

/** Reads `frame_type` in the uncompressed header (VP9 bitstream specification section 6.2). */
function isKeyframe(frame: Uint8Array): boolean {
  const head = u8(frame, 0);
  if (head >> 6 !== 2) {
    throw new RtpError('ERR_RTP_FRAME_INVALID', 'not a plain VP9 frame: for an encrypted one pass `keyframe`');
  }
  // Profile 3 is followed by a reserved bit, which moves the others.
  const flags = (head & 0x30) === 0x30 ? head << 1 : head;
  const showsExisting = (flags & 0x08) !== 0;
  return !showsExisting && (flags & 0x04) === 0;
}

function read(payload: Uint8Array): Piece<Descriptor> | undefined {
  const first = u8(payload, 0);
  let at = 1;
  let pictureId: number | undefined;
  if ((first & PICTURE_ID) !== 0) {
    const isLong = ((payload[at] ?? 0) & 0x80) !== 0;
    pictureId = isLong ? u16(payload, at) & 0x7fff : payload[at];
    at += isLong ? 2 : 1;
  }
  let temporalId: number | undefined;
  let spatialId = 0;
  if ((first & LAYERS) !== 0) {
    const layer = payload[at] ?? 0;
    temporalId = layer >> 5;
    spatialId = (layer >> 1) & 7;
    // TL0PICIDX is there in non-flexible mode only.
    at += (first & FLEXIBLE) === 0 ? 2 : 1;
  }
  const isInter = (first & INTER) !== 0;
  if (isInter && (first & FLEXIBLE) !== 0) {
    let references = 0;
    let more = true;
    while (more) {
      references += 1;
      if (references > MAX_REFERENCES) return undefined;
      more = ((payload[at] ?? 0) & 1) !== 0;
      at += 1;
    }
  }
  const resolutions: Descriptor['resolutions'] = [];
  if ((first & STRUCTURE) !== 0) at = readStructure(payload, at, resolutions);
  // A packet holds at least one byte of the frame. This is the one check of bounds: reads above give zeros.
  if (at >= payload.length) return undefined;
  const beginsLayer = (first & BEGINS) !== 0;
  return {
    place: beginsLayer && spatialId === 0 ? 'first' : 'inside',
    parts: [payload.subarray(at)],
    facts: { pictureId, isInter, beginsLayer, temporalId, resolutions },
  };
}

/** The scalability structure (RFC 9628 section 4.2.1). Returns where it ends, which may be past the payload. */
function readStructure(payload: Uint8Array, start: number, resolutions: Descriptor['resolutions']): number {
  const head = payload[start] ?? 0;
  let at = start + 1;
  if ((head & 0x10) !== 0) {
    for (let layers = (head >> 5) + 1; layers > 0; layers -= 1) {
      resolutions.push({ width: u16(payload, at), height: u16(payload, at + 2) });
      at += 4;
    }
  }
  if ((head & 0x08) === 0) return at;
  let pictures = payload[at] ?? 0;
  at += 1;
  for (; pictures > 0 && at < payload.length; pictures -= 1) {
    // T U R, then R times P_DIFF.
    at += 1 + ((u8(payload, at) >> 2) & 3);
  }
  return pictures > 0 ? payload.length : at;
}

function finish(base: MediaFrame, facts: readonly Descriptor[]): Vp9Frame {
  const first = facts[0] as Descriptor;
  return {
    ...base,
    keyframe: !first.isInter,
    pictureId: first.pictureId,
    temporalId: first.temporalId,
    spatialLayers: facts.filter(({ beginsLayer }) => beginsLayer).length,
    resolutions: first.resolutions,
  };
}
