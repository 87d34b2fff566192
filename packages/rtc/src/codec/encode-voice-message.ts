/** Owns the text of every message that is sent to the voice gateway. */
import type { MediaSinkWants, VideoAnnouncement } from '../media/transport.js';
import { OPUS_PAYLOAD_TYPE, VIDEO_PAYLOAD_TYPES, type VideoCodec } from '../protocol/voice-codecs.js';
import { VOICE_OPCODES as OP, type VoiceControl } from '../protocol/voice-frames.js';

/** What the messages say about us. */
export interface VoiceIdentity {
  readonly guildId: string;
  readonly userId: string;
  /** 0: no end-to-end encryption. */
  readonly maxDaveVersion: number;
  /** Best first; empty for none. */
  readonly videoCodecs: readonly VideoCodec[];
}

/** Writes what the connection says by itself (Discord docs, Voice). */
export function encodeVoiceControl(control: VoiceControl, identity: VoiceIdentity): string {
  switch (control.kind) {
    case 'heartbeat':
      return message(OP.heartbeat, { t: control.nonce, seq_ack: control.seqAck });
    case 'resume':
      return message(OP.resume, {
        server_id: identity.guildId,
        session_id: control.sessionId,
        token: control.token.reveal(),
        seq_ack: control.seqAck,
      });
    case 'identify': {
      const video =
        identity.videoCodecs.length === 0
          ? {}
          : { video: true, streams: [{ type: 'video', rid: '100', quality: 100 }] };
      return message(OP.identify, {
        server_id: identity.guildId,
        user_id: identity.userId,
        session_id: control.sessionId,
        token: control.token.reveal(),
        max_dave_protocol_version: identity.maxDaveVersion,
        ...video,
      });
    }
    case 'selectProtocol': {
      const { address, port, mode } = control;
      return message(OP.selectProtocol, {
        protocol: 'udp',
        data: { address, port, mode },
        codecs: codecsOf(identity.videoCodecs),
      });
    }
  }
}

/** Opcode 5. `delay` is always 0. */
export function encodeSpeaking(flags: number, ssrc: number): string {
  return message(OP.speaking, { speaking: flags, delay: 0, ssrc });
}

/** Opcode 12; `undefined` ends the video. */
export function encodeVideo(audioSsrc: number, video: VideoAnnouncement | undefined): string {
  const [first] = video?.streams ?? [];
  return message(OP.video, {
    audio_ssrc: video === undefined ? 0 : audioSsrc,
    video_ssrc: first?.ssrc ?? 0,
    rtx_ssrc: first?.rtxSsrc ?? 0,
    streams: (video?.streams ?? []).map((stream) => ({
      type: 'video',
      rid: stream.rid,
      ssrc: stream.ssrc,
      active: stream.active,
      quality: stream.quality,
      rtx_ssrc: stream.rtxSsrc,
      max_bitrate: stream.maxBitrate,
      max_framerate: stream.maxFramerate,
      max_resolution: { type: 'fixed', width: stream.width, height: stream.height },
    })),
  });
}

/** Opcode 15. */
export function encodeSinkWants({ any, ssrcs }: MediaSinkWants): string {
  return message(OP.mediaSinkWants, any === undefined ? ssrcs : { ...ssrcs, any });
}

/** Any other JSON message. */
export function encodeVoiceJson(op: number, d: object): string {
  return message(op, d);
}

/** A binary message: `u8 op | payload`. */
export function encodeVoiceBinary(op: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(payload.length + 1);
  bytes[0] = op;
  bytes.set(payload, 1);
  return bytes;
}

function codecsOf(video: readonly VideoCodec[]): object[] {
  return [
    { name: 'opus', type: 'audio', priority: 1_000, payload_type: OPUS_PAYLOAD_TYPE },
    ...video.map((name, index) => ({
      name,
      type: 'video',
      // A multiple of 1000, unique per type, lower is preferred.
      priority: (index + 1) * 1_000,
      payload_type: VIDEO_PAYLOAD_TYPES[name].payloadType,
      rtx_payload_type: VIDEO_PAYLOAD_TYPES[name].rtxPayloadType,
      encode: true,
      decode: true,
    })),
  ];
}

function message(op: number, d: object): string {
  return JSON.stringify({ op, d });
}
