/** Owns REST answers: the one shape that handlers return, and Discord's error bodies (Discord docs, Opcodes and Status Codes: JSON). */
import type { WorldEvent } from '../world/events.js';

/** An answer, and what the request changed. */
export interface Reply {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly events?: readonly WorldEvent[] | undefined;
  /** A page instead of a JSON body. */
  readonly html?: string | undefined;
}

/** One complaint about a field. */
export interface FormProblem {
  readonly path: readonly (string | number)[];
  readonly code: string;
  readonly message: string;
}

/** Discord's nested form errors: `{ name: { _errors: [{ code, message }] } }`. */
export interface FormErrors {
  [key: string]: FormErrors | { readonly code: string; readonly message: string }[];
}

/** What can be unknown, with its code. */
const UNKNOWN = {
  Application: 10002,
  Channel: 10003,
  Guild: 10004,
  Invite: 10006,
  Member: 10007,
  Message: 10008,
  Overwrite: 10009,
  Role: 10011,
  User: 10013,
  Emoji: 10014,
  Webhook: 10015,
  Command: 10063,
  VoiceState: 10065,
} as const;
const UNKNOWN_NAMES = {
  VoiceState: 'Voice State',
  Overwrite: 'permission overwrite',
  Command: 'application command',
} as const satisfies Partial<Record<keyof typeof UNKNOWN, string>>;

/** A success with a body. */
export const ok = (body: unknown, events?: readonly WorldEvent[]): Reply => ({ status: 200, body, events });
/** A creation. */
export const created = (body: unknown, events?: readonly WorldEvent[]): Reply => ({ status: 201, body, events });

/** An error with Discord's code. */
export const failure = (status: number, code: number, message: string): Reply => ({ status, body: { message, code } });

/** 404 with the code of what is missing. */
export function unknown(what: keyof typeof UNKNOWN): Reply {
  const names: Partial<Record<string, string>> = UNKNOWN_NAMES;
  return failure(404, UNKNOWN[what], `Unknown ${names[what] ?? what}`);
}

/** Done, with nothing to say. */
export const done = (events?: readonly WorldEvent[]): Reply => ({ status: 204, events });

/** The channel is there, and not for this bot. */
export const missingAccess = (): Reply => failure(403, 50001, 'Missing Access');
/** The bot lacks a permission, or stands too low. */
export const missingPermissions = (): Reply => failure(403, 50013, 'Missing Permissions');

/** 50035 about one field. */
export const invalidField = (path: FormProblem['path'], code: string, message: string): Reply =>
  invalidForm([{ path, code, message }]);

export const unauthorized = (): Reply => failure(401, 0, '401: Unauthorized');
export const notFound = (): Reply => failure(404, 0, '404: Not Found');
export const methodNotAllowed = (): Reply => failure(405, 0, '405: Method Not Allowed');
export const tooLarge = (): Reply => failure(413, 40005, 'Request entity too large');
export const invalidJson = (): Reply => failure(400, 50109, 'The request body contains invalid JSON.');
export const internalError = (): Reply => failure(500, 0, '500: Internal Server Error');

/** 50035 with the fields' errors. */
export function invalidForm(problems: readonly FormProblem[], message = 'Invalid Form Body'): Reply {
  const errors: FormErrors = {};
  for (const { path, code, message: text } of problems) {
    let at = errors;
    for (const key of path) {
      const next = at[key];
      if (next === undefined || Array.isArray(next)) at[key] = {};
      at = at[key] as FormErrors;
    }
    const own = at._errors;
    if (Array.isArray(own)) own.push({ code, message: text });
    else at._errors = [{ code, message: text }];
  }
  return { status: 400, body: { message, code: 50035, errors } };
}
