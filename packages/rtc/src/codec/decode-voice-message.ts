/**
 * Owns reading a message of the voice gateway, text or binary. Never throws: what it cannot read comes back as a problem,
 * for the shell to count and report.
 */
import { Redacted } from '@guildkit/core';
import { isEncryptionMode } from '@guildkit/rtp';
import type { RemoteVideoStream } from '../media/transport.js';
import type { CodecName } from '../protocol/voice-codecs.js';
import { type OfferedStream, VOICE_OPCODES as OP, type VoiceFrame } from '../protocol/voice-frames.js';
import type { VoiceNews } from '../protocol/voice-news.js';
import { type Fields, fields, list, snowflake, text, uint } from './fields.js';

/** What became of a message. */
export type DecodedMessage =
  /** `frame: undefined`: understood, and of no concern. */
  | { readonly ok: true; readonly frame: VoiceFrame<VoiceNews> | undefined; readonly seq: number | undefined }
  /** `problem` holds nothing of the message's content: it may be logged. */
  | { readonly ok: false; readonly problem: string };

/** A channel holds 99 people at most, a stage thousands of listeners who are told as well. */
const MAX_USERS = 50_000;
const MAX_STREAMS = 16;
const MAX_WANTS = 1_024;
const MAX_MODES = 64;
const KEY_BYTES = 32;
const CODECS: readonly string[] = ['opus', 'VP8', 'VP9', 'H264', 'H265', 'AV1'] satisfies readonly CodecName[];

/** Reads a text message (Discord docs, Voice; what is beyond them is named where it is read). */
export function decodeVoiceText(message: string): DecodedMessage {
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    return malformed('not JSON');
  }
  const body = fields(value);
  if (body === undefined) return malformed('not an object');
  const op = uint(body.op, 16);
  if (op === undefined) return malformed('op is not a number');
  const seq = body.seq === undefined || body.seq === null ? undefined : uint(body.seq, 32);
  if (body.seq !== undefined && body.seq !== null && seq === undefined) return malformed(`op ${op}: seq is no number`);
  const frame = decodeBody(op, body.d);
  return frame === 'malformed' ? malformed(`op ${op}: d is not what it should be`) : { ok: true, frame, seq };
}

/** Reads a binary message: `u16 seq | u8 op | payload` (DAVE whitepaper: Voice Gateway). */
export function decodeVoiceBinary(message: Uint8Array): DecodedMessage {
  const [high, low, op] = message;
  if (high === undefined || low === undefined || op === undefined) return malformed('binary: truncated');
  if (op < OP.daveExternalSender || op > OP.daveWelcome) return malformed('binary: unknown opcode');
  const news: VoiceNews = { type: 'daveBinary', op, payload: new Uint8Array(message.subarray(3)) };
  return { ok: true, frame: { kind: 'news', news }, seq: high * 256 + low };
}

function decodeBody(op: number, data: unknown): VoiceFrame<VoiceNews> | undefined | 'malformed' {
  const d = fields(data);
  switch (op) {
    case OP.hello: {
      const interval = d?.heartbeat_interval;
      // Below 1 ms is no interval, and a flood if believed.
      if (typeof interval !== 'number' || !(interval >= 1)) return 'malformed';
      return { kind: 'hello', heartbeatIntervalMs: interval };
    }
    case OP.heartbeat:
      return { kind: 'heartbeatRequest' };
    case OP.heartbeatAck:
      return { kind: 'heartbeatAck' };
    case OP.resumed:
      return { kind: 'resumed' };
    case OP.ready:
      return d === undefined ? 'malformed' : decodeReady(d);
    case OP.sessionDescription:
      return d === undefined ? 'malformed' : decodeDescription(d);
    case OP.sessionUpdate: {
      if (d === undefined) return 'malformed';
      // Only what changes is told.
      if (d.video_codec === undefined) return undefined;
      return tell({ type: 'codecs', videoCodec: codec(d.video_codec) });
    }
    default:
      return d === undefined ? bodyless(op) : decodeNews(op, d);
  }
}

/** Opcodes whose body may be anything: nothing is read from it. */
function bodyless(op: number): undefined | 'malformed' {
  return NEWS_OPCODES.has(op) ? 'malformed' : undefined;
}

const NEWS_OPCODES: ReadonlySet<number> = new Set([
  OP.speaking,
  OP.clientsConnect,
  OP.video,
  OP.clientDisconnect,
  OP.mediaSinkWants,
  OP.davePrepareTransition,
  OP.daveExecuteTransition,
  OP.davePrepareEpoch,
]);

function decodeReady(d: Fields): VoiceFrame<VoiceNews> | 'malformed' {
  const ssrc = uint(d.ssrc, 32);
  const ip = text(d.ip);
  const port = uint(d.port, 16);
  if (ssrc === undefined || ip === undefined || port === undefined || port === 0) return 'malformed';
  // An address, not a name: nothing else is looked up for it.
  if (!/^[0-9A-Fa-f:.]{2,45}$/.test(ip)) return 'malformed';
  const modes = list(d.modes, MAX_MODES).filter((mode): mode is string => typeof mode === 'string');
  const streams = list(d.streams, MAX_STREAMS).flatMap((item): OfferedStream[] => {
    const stream = fields(item);
    const number = uint(stream?.ssrc, 32);
    if (stream === undefined || number === undefined || number === 0) return [];
    return [
      {
        ssrc: number,
        rtxSsrc: uint(stream.rtx_ssrc, 32) ?? 0,
        rid: text(stream.rid) ?? '',
        quality: uint(stream.quality, 16) ?? 0,
      },
    ];
  });
  streams.sort((a, b) => b.quality - a.quality);
  return { kind: 'ready', offer: { ssrc, ip, port, modes, streams } };
}

function decodeDescription(d: Fields): VoiceFrame<VoiceNews> | 'malformed' {
  const { mode, secret_key: key } = d;
  if (typeof mode !== 'string' || !isEncryptionMode(mode)) return 'malformed';
  if (!Array.isArray(key) || key.length !== KEY_BYTES || !key.every((byte) => uint(byte, 8) !== undefined)) {
    return 'malformed';
  }
  return {
    kind: 'sessionDescription',
    description: {
      mode,
      secretKey: new Redacted(Uint8Array.from(key as number[])),
      daveVersion: uint(d.dave_protocol_version, 16) ?? 0,
      videoCodec: codec(d.video_codec),
    },
  };
}

function decodeNews(op: number, d: Fields): VoiceFrame<VoiceNews> | undefined | 'malformed' {
  switch (op) {
    case OP.speaking: {
      const userId = snowflake(d.user_id);
      const ssrc = uint(d.ssrc, 32);
      const flags = d.speaking === true ? 1 : d.speaking === false ? 0 : uint(d.speaking, 16);
      if (ssrc === undefined || flags === undefined) return 'malformed';
      // Without a user it is about us.
      return userId === undefined ? undefined : tell({ type: 'speaking', userId, ssrc, flags });
    }
    case OP.clientsConnect: {
      if (!Array.isArray(d.user_ids)) return 'malformed';
      const userIds = list(d.user_ids, MAX_USERS)
        .map(snowflake)
        .filter((id) => id !== undefined);
      return tell({ type: 'clientsConnect', userIds });
    }
    case OP.clientDisconnect: {
      const userId = snowflake(d.user_id);
      return userId === undefined ? 'malformed' : tell({ type: 'clientDisconnect', userId });
    }
    case OP.video: {
      const userId = snowflake(d.user_id);
      if (userId === undefined) return 'malformed';
      const audioSsrc = uint(d.audio_ssrc, 32) ?? 0;
      const streams = list(d.streams, MAX_STREAMS).flatMap(decodeStream);
      const [first] = streams;
      const videoSsrc = uint(d.video_ssrc, 32) ?? first?.ssrc ?? 0;
      const rtxSsrc = uint(d.rtx_ssrc, 32) ?? first?.rtxSsrc ?? 0;
      return tell({ type: 'video', userId, audioSsrc, videoSsrc, rtxSsrc, streams });
    }
    case OP.mediaSinkWants: {
      const ssrcs: Record<string, number> = {};
      let any: number | undefined;
      for (const [key, value] of Object.entries(d).slice(0, MAX_WANTS)) {
        const quality = uint(value, 16);
        if (quality === undefined) continue;
        if (key === 'any') any = quality;
        else if (/^\d{1,10}$/.test(key)) ssrcs[key] = quality;
      }
      return tell({ type: 'sinkWants', wants: { any, ssrcs } });
    }
    case OP.davePrepareTransition:
    case OP.daveExecuteTransition:
    case OP.davePrepareEpoch:
      return tell({ type: 'daveJson', op, data: d });
    default:
      return undefined;
  }
}

function decodeStream(item: unknown): RemoteVideoStream[] {
  const stream = fields(item);
  const ssrc = uint(stream?.ssrc, 32);
  if (stream === undefined || ssrc === undefined) return [];
  const size = fields(stream.max_resolution);
  return [
    {
      ssrc,
      rtxSsrc: uint(stream.rtx_ssrc, 32) ?? 0,
      rid: text(stream.rid) ?? '',
      quality: uint(stream.quality, 16) ?? 0,
      active: stream.active !== false,
      maxBitrate: uint(stream.max_bitrate, 32) ?? 0,
      maxFramerate: uint(stream.max_framerate, 16) ?? 0,
      width: uint(size?.width, 16) ?? 0,
      height: uint(size?.height, 16) ?? 0,
    },
  ];
}

function codec(value: unknown): CodecName | undefined {
  return typeof value === 'string' && CODECS.includes(value) ? (value as CodecName) : undefined;
}

function tell(news: VoiceNews): VoiceFrame<VoiceNews> {
  return { kind: 'news', news };
}

function malformed(problem: string): DecodedMessage {
  return { ok: false, problem };
}
