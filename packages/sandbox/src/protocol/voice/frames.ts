/**
 * Owns what clients may send to the voice gateway: parses a JSON or binary message to a tagged value. Nothing here throws;
 * what does not parse names the close code it deserves.
 */
import { Redacted } from '@guildkit/core';
import { isSnowflake } from '../snowflake.js';
import { VoiceOp } from './opcodes.js';

/** A stream that a client announces, in Identify and Video. */
export interface StreamClaim {
  readonly type: string;
  readonly rid: string;
  readonly quality: number;
  readonly ssrc: number;
  readonly rtxSsrc: number;
  readonly active: boolean;
  /** The fields that are only handed on: bitrate, frame rate, resolution. */
  readonly limits: StreamLimits;
}

/** What a sender says of a stream beside its SSRCs. */
export interface StreamLimits {
  readonly maxBitrate: number | undefined;
  readonly maxFramerate: number | undefined;
  readonly maxResolution: { readonly type: string; readonly width: number; readonly height: number } | undefined;
}

/** A codec as Select Protocol lists it. */
export interface CodecClaim {
  readonly name: string;
  readonly type: 'audio' | 'video';
  readonly priority: number;
  readonly payloadType: number;
}

/** Op 12: the SSRCs that carry video from now on; zeros and no stream to stop. */
export interface VideoClaim {
  readonly audioSsrc: number;
  readonly videoSsrc: number;
  readonly rtxSsrc: number;
  readonly streams: readonly StreamClaim[];
}

/** Messages of DAVE, which the delivery service reads. */
export type DaveFrame =
  | { readonly kind: 'keyPackage'; readonly payload: Uint8Array }
  | { readonly kind: 'commitWelcome'; readonly payload: Uint8Array }
  | { readonly kind: 'transitionReady'; readonly transitionId: number }
  | { readonly kind: 'invalidCommitWelcome'; readonly transitionId: number };

/** What only a session may send. */
export type VoiceRequest =
  | { readonly kind: 'speaking'; readonly speaking: number; readonly ssrc: number; readonly delay: number }
  | ({ readonly kind: 'video' } & VideoClaim)
  | { readonly kind: 'codecs'; readonly codecs: readonly CodecClaim[] }
  | { readonly kind: 'wants'; readonly any: number; readonly bySsrc: ReadonlyMap<number, number> }
  | { readonly kind: 'backendVersion' }
  | { readonly kind: 'noRoute' }
  | DaveFrame;

/** One message of a client. */
export type VoiceFrame =
  | {
      readonly kind: 'identify';
      readonly serverId: string;
      /** Only in v9. */
      readonly channelId: string | undefined;
      readonly userId: string;
      readonly sessionId: string;
      readonly token: Redacted;
      readonly daveVersion: number;
      readonly streams: readonly StreamClaim[];
    }
  | {
      readonly kind: 'select';
      readonly protocol: string;
      readonly mode: string;
      readonly address: string;
      readonly port: number;
      readonly codecs: readonly CodecClaim[];
    }
  | { readonly kind: 'heartbeat'; readonly t: number; readonly seqAck: number | undefined }
  | {
      readonly kind: 'resume';
      readonly serverId: string;
      readonly channelId: string | undefined;
      readonly sessionId: string;
      readonly token: Redacted;
      readonly seqAck: number;
    }
  | { readonly kind: 'request'; readonly request: VoiceRequest }
  | { readonly kind: 'invalid'; readonly code: 4001 | 4002 | 4020; readonly why: string };

type Fields = Readonly<Record<string, unknown>>;

/** Largest message: a commit and the welcomes of a full channel fit well. */
export const MAX_VOICE_FRAME_BYTES = 64 * 1024;
const MAX_STREAMS = 8;
const MAX_CODECS = 16;
const MAX_WANTS = 256;
const MAX_TEXT = 64;
const U32 = 0xffff_ffff;
/** Highest speaking bits: microphone, soundshare, priority. */
const SPEAKING_BITS = 7;

/** Parses a text message. */
export function parseVoiceText(text: string): VoiceFrame {
  let payload: unknown;
  try {
    payload = JSON.parse(text);
  } catch {
    return invalid(4002, 'not JSON');
  }
  if (!isFields(payload)) return invalid(4002, 'not an object');
  const { op, d } = payload;
  if (typeof op !== 'number' || !Number.isInteger(op)) return invalid(4002, 'no opcode');
  switch (op) {
    case VoiceOp.Identify:
      return parseIdentify(d);
    case VoiceOp.SelectProtocol:
      return parseSelect(d);
    case VoiceOp.Heartbeat:
      return parseHeartbeat(d);
    case VoiceOp.Resume:
      return parseResume(d);
    case VoiceOp.Speaking:
      return parseSpeaking(d);
    case VoiceOp.Video:
      return parseVideo(d);
    case VoiceOp.SessionUpdate: {
      const codecs = parseCodecs(isFields(d) ? d.codecs : undefined);
      return codecs === undefined ? malformed('session update') : request({ kind: 'codecs', codecs });
    }
    case VoiceOp.MediaSinkWants:
      return parseWants(d);
    case VoiceOp.BackendVersion:
      return request({ kind: 'backendVersion' });
    case VoiceOp.TransitionReady:
      return parseTransition('transitionReady', d);
    case VoiceOp.InvalidCommitWelcome:
      return parseTransition('invalidCommitWelcome', d);
    case VoiceOp.NoRoute:
      return request({ kind: 'noRoute' });
    default:
      return invalid(4001, `opcode ${op}`);
  }
}

/** Parses a binary message: `u8 op | payload`. */
export function parseVoiceBinary(bytes: Uint8Array): VoiceFrame {
  const op = bytes[0];
  if (op === undefined) return invalid(4002, 'an empty message');
  const payload = bytes.subarray(1);
  if (op !== VoiceOp.KeyPackage && op !== VoiceOp.CommitWelcome) return invalid(4001, `binary opcode ${op}`);
  if (payload.length === 0) return malformed(`binary opcode ${op} without a payload`);
  return request({ kind: op === VoiceOp.KeyPackage ? 'keyPackage' : 'commitWelcome', payload });
}

function parseIdentify(d: unknown): VoiceFrame {
  if (!isFields(d)) return invalid(4002, 'identify');
  const { server_id: serverId, user_id: userId, session_id: sessionId, token, channel_id: channelId } = d;
  if (!isSnowflake(serverId) || !isSnowflake(userId) || typeof sessionId !== 'string' || typeof token !== 'string') {
    return invalid(4002, 'identify');
  }
  if (channelId !== undefined && !isSnowflake(channelId)) return invalid(4002, 'identify channel');
  const streams = parseStreams(d.streams ?? []);
  if (streams === undefined) return invalid(4002, 'identify streams');
  const version = d.max_dave_protocol_version;
  return {
    kind: 'identify',
    serverId,
    channelId,
    userId,
    sessionId,
    token: new Redacted(token),
    daveVersion: isUint(version, 0xffff) ? version : 0,
    streams,
  };
}

function parseSelect(d: unknown): VoiceFrame {
  if (!isFields(d) || typeof d.protocol !== 'string') return malformed('select protocol');
  const codecs = parseCodecs(d.codecs ?? []);
  if (codecs === undefined) return malformed('codecs');
  const { protocol } = d;
  const data = isFields(d.data) ? d.data : d;
  const { address, port, mode } = data;
  // Another protocol has other data: it is refused as a whole, by 4012.
  if (protocol !== 'udp') {
    return { kind: 'select', protocol: protocol.slice(0, MAX_TEXT), mode: '', address: '', port: 0, codecs };
  }
  if (typeof address !== 'string' || !isUint(port, 0xffff) || typeof mode !== 'string') return malformed('data');
  return {
    kind: 'select',
    protocol,
    mode: mode.slice(0, MAX_TEXT),
    address: address.slice(0, MAX_TEXT),
    port,
    codecs,
  };
}

/** v8: `{ t, seq_ack }`. The number alone, of versions before, is taken as well. */
function parseHeartbeat(d: unknown): VoiceFrame {
  if (typeof d === 'number') return { kind: 'heartbeat', t: d, seqAck: undefined };
  if (!isFields(d) || typeof d.t !== 'number') return malformed('heartbeat');
  const { t, seq_ack: seqAck } = d;
  if (seqAck !== undefined && !isSeqAck(seqAck)) return malformed('seq_ack');
  return { kind: 'heartbeat', t, seqAck };
}

function parseResume(d: unknown): VoiceFrame {
  if (!isFields(d)) return malformed('resume');
  const { server_id: serverId, session_id: sessionId, token, seq_ack: seqAck, channel_id: channelId } = d;
  if (!isSnowflake(serverId) || typeof sessionId !== 'string' || typeof token !== 'string' || !isSeqAck(seqAck)) {
    return malformed('resume');
  }
  if (channelId !== undefined && !isSnowflake(channelId)) return malformed('resume channel');
  return { kind: 'resume', serverId, channelId, sessionId, token: new Redacted(token), seqAck };
}

function parseSpeaking(d: unknown): VoiceFrame {
  if (!isFields(d)) return malformed('speaking');
  // `true` and `false` of older clients.
  const speaking = typeof d.speaking === 'boolean' ? Number(d.speaking) : d.speaking;
  const { ssrc, delay = 0 } = d;
  if (!isUint(speaking, SPEAKING_BITS) || !isUint(ssrc, U32) || !isUint(delay, U32)) return malformed('speaking');
  return request({ kind: 'speaking', speaking, ssrc, delay });
}

function parseVideo(d: unknown): VoiceFrame {
  if (!isFields(d)) return malformed('video');
  const { audio_ssrc: audioSsrc, video_ssrc: videoSsrc = 0, rtx_ssrc: rtxSsrc = 0 } = d;
  const streams = parseStreams(d.streams ?? []);
  if (!isUint(audioSsrc, U32) || !isUint(videoSsrc, U32) || !isUint(rtxSsrc, U32) || streams === undefined) {
    return malformed('video');
  }
  return request({ kind: 'video', audioSsrc, videoSsrc, rtxSsrc, streams });
}

function parseWants(d: unknown): VoiceFrame {
  if (!isFields(d)) return malformed('media sink wants');
  const bySsrc = new Map<number, number>();
  let any = 100;
  for (const [name, value] of Object.entries(d)) {
    // Discord's own clients add tables such as `pixelCounts`.
    if (typeof value !== 'number') continue;
    const quality = Math.min(100, Math.max(0, Math.round(value)));
    if (name === 'any') any = quality;
    else if (/^\d{1,10}$/.test(name) && Number(name) <= U32) bySsrc.set(Number(name), quality);
    if (bySsrc.size > MAX_WANTS) return malformed('too many wants');
  }
  return request({ kind: 'wants', any, bySsrc });
}

function parseTransition(kind: 'transitionReady' | 'invalidCommitWelcome', d: unknown): VoiceFrame {
  const transitionId = isFields(d) ? d.transition_id : undefined;
  return isUint(transitionId, 0xffff) ? request({ kind, transitionId }) : malformed('transition');
}

function parseStreams(value: unknown): readonly StreamClaim[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_STREAMS) return undefined;
  const streams: StreamClaim[] = [];
  for (const entry of value as unknown[]) {
    if (!isFields(entry)) return undefined;
    const { type = 'video', rid = '', quality = 0, ssrc = 0, rtx_ssrc: rtxSsrc = 0, active = false } = entry;
    if (typeof type !== 'string' || typeof rid !== 'string' || !isUint(ssrc, U32) || !isUint(rtxSsrc, U32)) {
      return undefined;
    }
    streams.push({
      type: type.slice(0, MAX_TEXT),
      rid: rid.slice(0, MAX_TEXT),
      quality: isUint(quality, 100) ? quality : 0,
      ssrc,
      rtxSsrc,
      active: active === true,
      limits: limitsOf(entry),
    });
  }
  return streams;
}

function limitsOf({ max_bitrate: rate, max_framerate: frames, max_resolution: size }: Fields): StreamLimits {
  return {
    maxBitrate: isUint(rate, U32) ? rate : undefined,
    maxFramerate: isUint(frames, U32) ? frames : undefined,
    maxResolution:
      isFields(size) && typeof size.type === 'string' && isUint(size.width, 0xffff) && isUint(size.height, 0xffff)
        ? { type: size.type.slice(0, MAX_TEXT), width: size.width, height: size.height }
        : undefined,
  };
}

function parseCodecs(value: unknown): readonly CodecClaim[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_CODECS) return undefined;
  const codecs: CodecClaim[] = [];
  for (const entry of value as unknown[]) {
    if (!isFields(entry)) return undefined;
    const { name, type, priority = 0, payload_type: payloadType } = entry;
    if (typeof name !== 'string' || (type !== 'audio' && type !== 'video') || !isUint(payloadType, 127)) {
      return undefined;
    }
    codecs.push({ name: name.slice(0, MAX_TEXT), type, priority: isUint(priority, U32) ? priority : 0, payloadType });
  }
  return codecs;
}

const request = (value: VoiceRequest): VoiceFrame => ({ kind: 'request', request: value });
const invalid = (code: 4001 | 4002 | 4020, why: string): VoiceFrame => ({ kind: 'invalid', code, why });
const malformed = (why: string): VoiceFrame => invalid(4020, why);

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isUint = (value: unknown, max: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
const isSeqAck = (value: unknown): value is number => value === -1 || isUint(value, 0xffff);
