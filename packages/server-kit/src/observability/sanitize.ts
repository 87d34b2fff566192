/**
 * Owns what may stand in a log line: no secrets, no control characters, nothing endless. Refuses to trust callers to have
 * thought of it.
 */
import { createRedactor, messageOf, type Redacted, toLogText } from '@guildkit/core';

/** Bounds of a log line. */
export interface SanitizeOptions {
  /** Texts that never appear, wherever they stand. */
  readonly secrets: readonly (string | Redacted)[];
  /** Longest text, in UTF-16 units. */
  readonly maxTextLength: number;
}

/** Makes things fit for a log line. */
export interface Sanitizer {
  fields(fields: object): Record<string, unknown>;
  text(text: string): string;
}

const REDACTED = '[redacted]';
/** Keys whose values are secrets, whatever they are. */
const SECRET_KEY =
  /(?:token|secret|passw(?:or)?d|authorization|cookie|api[-_]?key|private[-_]?(?:key|jwk)|credential|signature)s?$/i;
/** Texts that are secrets by their look: a JWT, what follows a scheme, a Discord bot token, a webhook secret. */
const SECRET_TEXT =
  /\beyJ[\w-]{8,4096}\.[\w-]{1,4096}(?:\.[\w-]{0,4096}){0,3}|\b(?:Bearer|Bot|Basic) [\w.~+/=-]{8,4096}|\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,200}|\bwhsec_[\w+/=-]+/g;

const MAX_DEPTH = 5;
const MAX_ENTRIES = 50;
const MAX_STACK_LINES = 20;

/** Creates a sanitizer. */
export function createSanitizer({ secrets, maxTextLength }: SanitizeOptions): Sanitizer {
  const redact = createRedactor(secrets);

  function text(value: string): string {
    // Cut first, with room for what a cut might split: a huge text costs no more than its bound.
    const near = value.length > 4 * maxTextLength ? value.slice(0, 4 * maxTextLength) : value;
    return toLogText(redact(near).replace(SECRET_TEXT, REDACTED), maxTextLength);
  }

  function ofError(error: Error, depth: number, seen: Set<unknown>): Record<string, unknown> {
    const { code, cause, stack } = error as Error & { code?: unknown };
    const lines = typeof stack === 'string' ? stack.split('\n').slice(1, 1 + MAX_STACK_LINES) : [];
    return {
      type: text(String(error.name)),
      message: text(messageOf(error)),
      ...(code === undefined ? {} : { code: any(code, depth + 1, seen) }),
      stack: lines.map((line) => text(line.trim())),
      ...(cause === undefined ? {} : { cause: any(cause, depth + 1, seen) }),
    };
  }

  function any(value: unknown, depth: number, seen: Set<unknown>): unknown {
    switch (typeof value) {
      case 'string':
        return text(value);
      case 'number':
        return Number.isFinite(value) ? value : String(value);
      case 'boolean':
      case 'undefined':
        return value;
      case 'bigint':
        return String(value);
      case 'function':
      case 'symbol':
        return `[${typeof value}]`;
      default:
    }
    if (value === null) return null;
    const thing = value as object;
    if (typeof (thing as { reveal?: unknown }).reveal === 'function') return REDACTED;
    if (seen.has(thing)) return '[circular]';
    if (depth > MAX_DEPTH) return '[deeper]';
    seen.add(thing);
    try {
      return ofObject(thing, depth, seen);
    } catch {
      // A getter or a proxy threw.
      return '[unreadable]';
    } finally {
      seen.delete(thing);
    }
  }

  function ofObject(thing: object, depth: number, seen: Set<unknown>): unknown {
    if (thing instanceof Error) return ofError(thing, depth, seen);
    if (thing instanceof Date) return Number.isNaN(thing.getTime()) ? 'invalid date' : thing.toISOString();
    if (ArrayBuffer.isView(thing)) return `[${thing.byteLength} bytes]`;
    if (thing instanceof Headers || thing instanceof Map)
      return entries([...thing.entries()] as [unknown, unknown][], depth, seen);
    if (Array.isArray(thing) || thing instanceof Set) {
      const items = [...thing];
      const shown = items.slice(0, MAX_ENTRIES).map((item) => any(item, depth + 1, seen));
      return items.length > MAX_ENTRIES ? [...shown, `… ${items.length - MAX_ENTRIES} more`] : shown;
    }
    return entries(Object.entries(thing), depth, seen);
  }

  function entries(
    pairs: readonly (readonly [unknown, unknown])[],
    depth: number,
    seen: Set<unknown>,
  ): Record<string, unknown> {
    const safe: Record<string, unknown> = Object.create(null);
    for (const [key, value] of pairs.slice(0, MAX_ENTRIES)) {
      const name = text(String(key));
      // Counts and flags are none: `tokens: 3` of a bucket may be read.
      const isSecret =
        SECRET_KEY.test(name) && typeof value !== 'number' && typeof value !== 'boolean' && value != null;
      safe[name] = isSecret ? REDACTED : any(value, depth + 1, seen);
    }
    if (pairs.length > MAX_ENTRIES) safe['…'] = `${pairs.length - MAX_ENTRIES} more`;
    return safe;
  }

  return { text, fields: (fields) => any(fields, 0, new Set()) as Record<string, unknown> };
}
