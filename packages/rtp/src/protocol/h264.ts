/**
 * Owns H.264 in RTP (RFC 6184), packetization mode 1: single NAL units, STAP-A and FU-A. Frames are Annex B streams;
 * received ones always with four-byte start codes, which is what DAVE counts with. Of NAL units it reads the header byte.
 */
import { resolveOptions } from '@guildkit/core';
import { RtpError } from '../errors.js';
import type { Settings } from '../settings.js';
import { putU16, u8, u16 } from './bytes.js';
import { createFrameAssembler, type Piece } from './frame-assembler.js';
import {
  DEFAULT_MTU,
  depacketizerOptions,
  evenEnds,
  type MediaFrame,
  mtuCheck,
  type PacketizeOptions,
  type PayloadFormat,
  type RtpPayload,
  requireFrame,
} from './payload-format.js';

/** Options of `h264.packetize`. */
export type H264PacketizeOptions = PacketizeOptions;

/** An access unit that came out of packets, as an Annex B stream. */
export interface H264Frame extends MediaFrame {
  /** It has an IDR slice. */
  readonly keyframe: boolean;
}

/** NAL unit types (RFC 6184 section 5.2, H.264 table 7-1). */
const IDR = 5;
const SPS = 7;
const DELIMITER = 9;
const LAST_SINGLE = 23;
const STAP_A = 24;
const FU_A = 28;

const TYPE_MASK = 0x1f;
/** Forbidden bit and importance: all of the header but the type. */
const IMPORTANCE_MASK = 0xe0;
const FU_START = 0x80;
const FU_END = 0x40;

const START_CODE = Uint8Array.of(0, 0, 0, 1);
const DEFAULTS: Settings<H264PacketizeOptions> = { mtu: DEFAULT_MTU };

/** H.264 (RFC 6184). */
export const h264: PayloadFormat<H264PacketizeOptions, H264Frame> = {
  packetize(frame, options) {
    const { mtu } = resolveOptions('h264.packetize', DEFAULTS, options, { mtu: mtuCheck });
    requireFrame(frame);
    const payloads: Uint8Array[] = [];
    let small: Uint8Array[] = [];
    let size = 1;
    const flush = (): void => {
      if (small.length > 0) payloads.push(small.length === 1 ? (small[0] as Uint8Array) : aggregate(small, size));
      small = [];
      size = 1;
    };
    for (const unit of unitsOf(frame)) {
      if (size + 2 + unit.length > mtu) flush();
      if (unit.length > mtu) {
        payloads.push(...fragments(unit, mtu));
      } else {
        small.push(unit);
        size += 2 + unit.length;
      }
    }
    flush();
    return payloads.map((payload, n): RtpPayload => ({ payload, marker: n === payloads.length - 1 }));
  },
  createDepacketizer(options) {
    const { maxFrameBytes } = depacketizerOptions('h264.createDepacketizer', options);
    return createFrameAssembler({ read, finish }, maxFrameBytes);
  },
};

/** NAL units of an Annex B stream, without start codes. */
function unitsOf(frame: Uint8Array): Uint8Array[] {
  const units: Uint8Array[] = [];
  let from = -1;
  const take = (to: number): void => {
    if (from >= 0 && to > from) units.push(frame.subarray(from, to));
  };
  for (let at = 2; at < frame.length; ) {
    const byte = frame[at] as number;
    if (byte > 1) {
      at += 3;
    } else if (byte === 1 && frame[at - 1] === 0 && frame[at - 2] === 0) {
      // One zero more belongs to the start code. A second one would be the unit's: encrypted units end in any byte.
      const code = at >= 3 && frame[at - 3] === 0 && at - 3 >= from ? at - 3 : at - 2;
      if (from < 0 && code > 0) break;
      take(code);
      from = at + 1;
      at += 3;
    } else {
      at += 1;
    }
  }
  take(frame.length);
  if (units.length === 0) {
    throw new RtpError('ERR_RTP_FRAME_INVALID', 'not an Annex B stream: it must begin with a start code');
  }
  for (const unit of units) {
    const type = u8(unit, 0) & TYPE_MASK;
    if (type >= 1 && type <= LAST_SINGLE) continue;
    throw new RtpError('ERR_RTP_FRAME_INVALID', `a NAL unit has type ${type}, which no encoder makes`);
  }
  return units;
}

/** STAP-A (section 5.7.1): its header has the highest importance of its units, and F if any has it. */
function aggregate(units: readonly Uint8Array[], size: number): Uint8Array {
  const payload = new Uint8Array(size);
  let forbidden = 0;
  let importance = 0;
  let at = 1;
  for (const unit of units) {
    forbidden |= u8(unit, 0) & 0x80;
    importance = Math.max(importance, u8(unit, 0) & 0x60);
    putU16(payload, at, unit.length);
    payload.set(unit, at + 2);
    at += 2 + unit.length;
  }
  payload[0] = forbidden | importance | STAP_A;
  return payload;
}

/** FU-A (section 5.8): the unit's header byte is split over indicator and header of each fragment. */
function fragments(unit: Uint8Array, mtu: number): Uint8Array[] {
  const head = u8(unit, 0);
  const body = unit.subarray(1);
  let from = 0;
  return evenEnds(body.length, mtu - 2).map((to) => {
    const payload = new Uint8Array(2 + to - from);
    payload[0] = (head & IMPORTANCE_MASK) | FU_A;
    payload[1] = (head & TYPE_MASK) | (from === 0 ? FU_START : 0) | (to === body.length ? FU_END : 0);
    payload.set(body.subarray(from, to), 2);
    from = to;
    return payload;
  });
}

/** What a payload tells of its frame. */
interface Facts {
  readonly keyframe: boolean;
}

function read(payload: Uint8Array): Piece<Facts> | undefined {
  const type = u8(payload, 0) & TYPE_MASK;
  if (type >= 1 && type <= LAST_SINGLE) return piece([payload], type);
  if (type === STAP_A) {
    const units = aggregated(payload);
    return units === undefined ? undefined : piece(units, u8(units[0] as Uint8Array, 0) & TYPE_MASK);
  }
  return type === FU_A ? fragment(payload) : undefined;
}

function aggregated(payload: Uint8Array): Uint8Array[] | undefined {
  const units: Uint8Array[] = [];
  for (let at = 1; at < payload.length; ) {
    if (at + 2 > payload.length) return undefined;
    const start = at + 2;
    at = start + u16(payload, at);
    if (at > payload.length || at === start) return undefined;
    const unit = payload.subarray(start, at);
    const type = u8(unit, 0) & TYPE_MASK;
    if (type < 1 || type > LAST_SINGLE) return undefined;
    units.push(unit);
  }
  return units.length === 0 ? undefined : units;
}

function fragment(payload: Uint8Array): Piece<Facts> | undefined {
  if (payload.length < 3) return undefined;
  const header = u8(payload, 1);
  const type = header & TYPE_MASK;
  const isStart = (header & FU_START) !== 0;
  // A unit in one fragment is to be sent as it is (section 5.8).
  if (type < 1 || type > LAST_SINGLE || (isStart && (header & FU_END) !== 0)) return undefined;
  const body = payload.subarray(2);
  if (!isStart) return { place: 'inside', parts: [body], facts: { keyframe: type === IDR } };
  const head = Uint8Array.of((u8(payload, 0) & IMPORTANCE_MASK) | type);
  return { place: placeOf(type), parts: [START_CODE, head, body], facts: { keyframe: type === IDR } };
}

function piece(units: readonly Uint8Array[], firstType: number): Piece<Facts> {
  return {
    place: placeOf(firstType),
    parts: units.flatMap((unit) => [START_CODE, unit]),
    facts: { keyframe: units.some((unit) => (u8(unit, 0) & TYPE_MASK) === IDR) },
  };
}

/**
 * Where a frame begins is not marked. Parameters and delimiters come first in theirs; anything else begins a frame only
 * if nothing is missing before it. A stream's first packet is taken for a beginning.
 */
const placeOf = (type: number): 'entry' | 'any' => (type === SPS || type === DELIMITER ? 'entry' : 'any');

function finish(base: MediaFrame, facts: readonly Facts[]): H264Frame {
  return { ...base, keyframe: facts.some(({ keyframe }) => keyframe) };
}
