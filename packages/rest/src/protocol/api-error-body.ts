/** Owns reading the body of an error response: hostile input, so anything may be missing or of another type. */
import { toLogText } from '@guildkit/core';

/** One field that Discord refused. */
export interface FieldError {
  /** Where in the body: `embeds[0].title`; `''` for the body as a whole. */
  readonly path: string;
  /** Discord's code: `BASE_TYPE_MAX_LENGTH`. */
  readonly code: string;
  readonly message: string;
}

/** What an error response said. */
export interface ApiErrorBody {
  /** Discord's JSON error code; 0 for a general one or none. */
  readonly discordCode: number;
  readonly message: string | undefined;
  readonly fields: readonly FieldError[];
}

/** Enough for any form; a longer list helps nobody. */
const MAX_FIELDS = 50;
const MAX_DEPTH = 12;

/** Reads a parsed error body. */
export function readApiError(body: unknown): ApiErrorBody {
  if (!isObject(body)) return { discordCode: 0, message: undefined, fields: [] };
  const { code, message, errors, error_description: oauth, error } = body;
  const said = [message, oauth, error].find((text): text is string => typeof text === 'string' && text !== '');
  const fields: FieldError[] = [];
  flatten(errors, '', fields, 0);
  return {
    discordCode: typeof code === 'number' && Number.isSafeInteger(code) ? code : 0,
    message: said === undefined ? undefined : toLogText(said, 300),
    fields,
  };
}

function flatten(node: unknown, path: string, into: FieldError[], depth: number): void {
  if (!isObject(node) || depth > MAX_DEPTH) return;
  const { _errors: here, ...below } = node;
  for (const entry of Array.isArray(here) ? here : []) {
    if (into.length >= MAX_FIELDS || !isObject(entry)) continue;
    const { code, message } = entry;
    into.push({
      path: toLogText(path),
      code: typeof code === 'string' ? toLogText(code, 80) : 'UNKNOWN',
      message: typeof message === 'string' ? toLogText(message) : '',
    });
  }
  for (const [key, child] of Object.entries(below)) {
    if (into.length >= MAX_FIELDS) return;
    const step = /^\d+$/.test(key) ? `[${key}]` : path === '' ? key : `.${key}`;
    flatten(child, `${path}${step}`, into, depth + 1);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
