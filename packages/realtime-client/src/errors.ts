/** Owns the package's error classes and their codes. A page that sends no commands loads nothing of theirs. */
import { GuildkitError, isErrorNamed } from '@guildkit/core';
import type { FieldIssue } from '@guildkit/core/wire';

/**
 * Every code of the connection.
 *
 * | code | meaning | remedy |
 * |---|---|---|
 * | `ERR_REALTIME_URL_INVALID` | the transport threw: the URL cannot be used | give an absolute `ws(s)` or `http(s)` URL outside a page; relative ones need `location` |
 * | `ERR_REALTIME_CONNECTION_LOST` | the socket closed; `closeCode` says how | nothing: the client comes back by itself; in `manual` offer `reconnect()` |
 * | `ERR_REALTIME_CONNECTION_TIMEOUT` | no welcome, no answer to `auth` or `subscribe` in time | check that the URL leads to a hub and that proxies pass WebSockets |
 * | `ERR_REALTIME_CONNECTION_SILENT` | two heartbeats long nothing came: a half-open socket | nothing: the client comes back by itself |
 * | `ERR_REALTIME_CONNECTION_REFUSED` | the hub closed with 4400 or 4403 | allow the page's origin at the hub; update the client |
 * | `ERR_REALTIME_AUTH_REFUSED` | two tokens in a row were refused | log in again, then `reconnect()` |
 * | `ERR_REALTIME_TOKEN_UNAVAILABLE` | the hub wants a token and `getToken` is missing or failed | give `getToken`; make it return a token or throw |
 * | `ERR_REALTIME_ROOM_DENIED` | the hub refused or ended a subscription; `detail` is its code | check that the user may see the room |
 * | `ERR_REALTIME_FRAME_MALFORMED` | a frame was no envelope | check what stands between client and hub |
 * | `ERR_REALTIME_PAYLOAD_INVALID` | an event's payload made no sense; the room's state is fetched anew | use one version of guildkit on both sides |
 * | `ERR_REALTIME_SERVER_ERROR` | the hub reported an error that answers no frame; `detail` is its code | look `detail` up among the hub's codes |
 */
export type RealtimeErrorCode =
  | 'ERR_REALTIME_URL_INVALID'
  | 'ERR_REALTIME_CONNECTION_LOST'
  | 'ERR_REALTIME_CONNECTION_TIMEOUT'
  | 'ERR_REALTIME_CONNECTION_SILENT'
  | 'ERR_REALTIME_CONNECTION_REFUSED'
  | 'ERR_REALTIME_AUTH_REFUSED'
  | 'ERR_REALTIME_TOKEN_UNAVAILABLE'
  | 'ERR_REALTIME_ROOM_DENIED'
  | 'ERR_REALTIME_FRAME_MALFORMED'
  | 'ERR_REALTIME_PAYLOAD_INVALID'
  | 'ERR_REALTIME_SERVER_ERROR';

/** What a {@link RealtimeError} carries beside code and message. */
export interface RealtimeErrorInit {
  readonly code: RealtimeErrorCode;
  /** The socket's close code, where one was received. */
  readonly closeCode?: number | undefined;
  /** The hub's own code, the close reason or the event's name. */
  readonly detail?: string | undefined;
  readonly room?: string | undefined;
  readonly cause?: unknown;
}

/** Codes after which the same call would fail in the same way. */
const FINAL = /URL|REFUSED|DENIED/;

/** What the client reports: through `state.lastError` and `onError`. It never throws one at the user. */
export class RealtimeError extends GuildkitError<RealtimeErrorCode> {
  /** The socket's close code, where one was received. */
  declare readonly closeCode: number | undefined;
  /** The hub's own code, the close reason or the event's name. */
  declare readonly detail: string | undefined;
  declare readonly room: string | undefined;

  constructor({ cause, ...facts }: RealtimeErrorInit) {
    const { code } = facts;
    const message = Object.values(facts).filter(Boolean).join(' · ');
    super('RealtimeError', message, { code, retryable: !FINAL.test(code), cause });
    Object.assign(this, facts);
  }

  /** Whether a value is a RealtimeError, of whichever copy or module format of this package. */
  static override is(value: unknown): value is RealtimeError {
    return isErrorNamed(value, 'RealtimeError');
  }
}

/**
 * Every way in which a command fails.
 *
 * | code | meaning | remedy |
 * |---|---|---|
 * | `ERR_REALTIME_COMMAND_REFUSED` | the server said no; `detail` is its code | look `detail` up; show `fields`; after `retryAfterMs` try again |
 * | `ERR_REALTIME_COMMAND_TIMEOUT` | no answer in time | with `isUnsure` look whether it was done before trying again |
 * | `ERR_REALTIME_COMMAND_ABORTED` | the caller's signal was aborted | none needed |
 * | `ERR_REALTIME_COMMAND_CLOSED` | the client was closed | none needed |
 * | `ERR_REALTIME_COMMAND_OVERFLOW` | too many commands wait for a connection or an answer | tell the user that there is no connection |
 */
export type CommandErrorCode =
  | 'ERR_REALTIME_COMMAND_REFUSED'
  | 'ERR_REALTIME_COMMAND_TIMEOUT'
  | 'ERR_REALTIME_COMMAND_ABORTED'
  | 'ERR_REALTIME_COMMAND_CLOSED'
  | 'ERR_REALTIME_COMMAND_OVERFLOW';

/** What a {@link CommandError} carries beside code and message. */
export interface CommandErrorInit {
  readonly code: CommandErrorCode;
  /** The command's name. */
  readonly command: string;
  /** The server's own code. */
  readonly detail?: string | undefined;
  /** What is wrong with the input, field by field. */
  readonly fields?: readonly FieldIssue[] | undefined;
  /** When the server wants it again, ms from now. */
  readonly retryAfterMs?: number | undefined;
  /** It was sent: the server may have carried it out. */
  readonly isUnsure?: boolean | undefined;
  readonly cause?: unknown;
}

/** What the promise of a command is rejected with. */
export class CommandError extends GuildkitError<CommandErrorCode> {
  /** The command's name. */
  declare readonly command: string;
  /** The server's own code. */
  declare readonly detail: string | undefined;
  /** What is wrong with the input, field by field. */
  declare readonly fields: readonly FieldIssue[] | undefined;
  /** When the server wants it again, ms from now. */
  declare readonly retryAfterMs: number | undefined;
  /** It was sent: the server may have carried it out. */
  declare readonly isUnsure: boolean;

  constructor({ cause, ...facts }: CommandErrorInit) {
    const { code, command, detail, retryAfterMs } = facts;
    const retryable = retryAfterMs !== undefined || /TIMEOUT|OVERFLOW/.test(code);
    super('CommandError', [code, command, detail].filter(Boolean).join(' · '), { code, retryable, cause });
    Object.assign(this, { isUnsure: false }, facts);
  }

  /** Whether a value is a CommandError, of whichever copy or module format of this package. */
  static override is(value: unknown): value is CommandError {
    return isErrorNamed(value, 'CommandError');
  }
}
