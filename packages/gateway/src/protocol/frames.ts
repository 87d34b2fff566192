/**
 * Owns what the session understands of a received frame, after decoding. Refuses dispatch bodies: they pass
 * through as an opaque payload.
 */

/** A dispatch as it came: its body is read by whoever listens. */
export interface Dispatch {
  /** Event name, such as `VOICE_STATE_UPDATE`. */
  readonly name: string;
  /** False when nobody listened to it as it was read: then its body was not. */
  readonly wanted: boolean;
  /** The body (`d`). */
  readonly data: unknown;
}

/** Which dispatches are listened to: of others the body is not parsed. */
export interface DispatchFilter {
  /** Whether dispatches of that name concern anyone. */
  wants(name: string): boolean;
  /** None has come that was not wanted: then looking at names first spares nothing. */
  readonly wantsAll: boolean;
}

/** A received frame (Discord docs, Gateway Events: Payload Structure). */
export type Frame<Payload = Dispatch> =
  | { readonly kind: 'hello'; readonly heartbeatIntervalMs: number }
  | { readonly kind: 'heartbeatRequest' }
  | { readonly kind: 'heartbeatAck' }
  | { readonly kind: 'reconnect' }
  | { readonly kind: 'invalidSession'; readonly resumable: boolean }
  | {
      readonly kind: 'ready';
      readonly seq: number;
      readonly sessionId: string;
      readonly resumeUrl: string;
      readonly payload: Payload;
    }
  | { readonly kind: 'resumed'; readonly seq: number; readonly payload: Payload }
  | { readonly kind: 'dispatch'; readonly seq: number; readonly payload: Payload };

/** What the session itself sends. */
export type ControlFrame =
  | { readonly kind: 'heartbeat'; readonly seq: number | null }
  | { readonly kind: 'identify' }
  | { readonly kind: 'resume'; readonly sessionId: string; readonly seq: number };

/** Opcodes (Discord docs, Opcodes and Status Codes: Gateway Opcodes). */
export const OPCODES = {
  dispatch: 0,
  heartbeat: 1,
  identify: 2,
  presenceUpdate: 3,
  voiceStateUpdate: 4,
  resume: 6,
  reconnect: 7,
  requestGuildMembers: 8,
  invalidSession: 9,
  hello: 10,
  heartbeatAck: 11,
  requestSoundboardSounds: 31,
} as const;
