/** Owns what a client's bytes mean. Never throws: every kind of bad input has a name. */
import type { ClientFrame } from '@guildkit/core/wire';
import { clientFrameSchema } from '@guildkit/core/wire/schema';

/** A frame as it was understood. `id` is the client's, as far as one could be read. */
export type ParsedFrame =
  | { readonly kind: 'frame'; readonly frame: ClientFrame }
  /** A ping of the WebSocket protocol: no envelope, but a frame that costs as much. */
  | { readonly kind: 'ping' }
  /** An envelope of a type that this hub does not know: perhaps a newer client. */
  | { readonly kind: 'unknown'; readonly id: string | undefined }
  /** An envelope of a known type whose content does not fit it. */
  | { readonly kind: 'invalid'; readonly id: string | undefined; readonly problem: string }
  /** No envelope at all: the other side speaks something else. */
  | { readonly kind: 'malformed' };

const TYPES: readonly string[] = [
  'auth',
  'subscribe',
  'unsubscribe',
  'command',
  'pong',
] satisfies ClientFrame['type'][];
const MALFORMED: ParsedFrame = { kind: 'malformed' };

/** Reads one text frame. */
export function parseClientFrame(text: string): ParsedFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return MALFORMED;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return MALFORMED;
  const { v, type, id: givenId } = value as Record<string, unknown>;
  if (v !== 1 || typeof type !== 'string') return MALFORMED;
  const id = typeof givenId === 'string' && givenId.length > 0 && givenId.length <= 64 ? givenId : undefined;
  if (!TYPES.includes(type)) return { kind: 'unknown', id };
  const result = clientFrameSchema.safeParse(value);
  if (result.success) return { kind: 'frame', frame: result.data };
  // Where, not what: the value is the client's own text.
  const path = result.error.issues[0]?.path.map(String).join('.') ?? '';
  return { kind: 'invalid', id, problem: path.slice(0, 100) };
}
