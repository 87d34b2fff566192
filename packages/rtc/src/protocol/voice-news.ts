/** Owns what the voice gateway tells about others and about end-to-end encryption. Types only: the state machine passes it on. */
import type { MediaSinkWants, RemoteSpeaking, RemoteVideo } from '../media/transport.js';
import type { CodecName } from './voice-codecs.js';

/** A message that is about media or its encryption. */
export type VoiceNews =
  | ({ readonly type: 'speaking' } & RemoteSpeaking)
  | ({ readonly type: 'video' } & RemoteVideo)
  | { readonly type: 'clientsConnect'; readonly userIds: readonly string[] }
  | { readonly type: 'clientDisconnect'; readonly userId: string }
  | { readonly type: 'codecs'; readonly videoCodec: CodecName | undefined }
  | { readonly type: 'sinkWants'; readonly wants: MediaSinkWants }
  /** Opcodes 21, 22 and 24. */
  | { readonly type: 'daveJson'; readonly op: number; readonly data: unknown }
  /** Opcodes 25 to 30: what follows the opcode. */
  | { readonly type: 'daveBinary'; readonly op: number; readonly payload: Uint8Array };
