/** Owns what a command and its answer are: hub, command bus and link speak of them alike. */
import type { FieldIssue } from '@guildkit/core/wire';
import type { Principal } from '../principal.js';

/** A command of a client. Nothing of it was checked but its size. */
export interface IncomingCommand {
  readonly principal: Principal;
  readonly name: string;
  readonly input: unknown;
  /** The client's id of the command: the same again when it is sent again. */
  readonly requestId: string;
  /** Unix ms at which it arrived. */
  readonly sentAt: number;
  readonly traceId: string;
  /** The connection it came in; `undefined` when it was posted. */
  readonly connectionId?: string | undefined;
}

/** How a command was answered. Shown to the peer as it is. */
export type CommandAnswer =
  | { readonly ok: true; readonly result?: unknown; readonly latencyMs: number }
  | { readonly ok: false; readonly error: CommandRefusal };

/** Why a command was not carried out. */
export interface CommandRefusal {
  /** Of the HTTP answer, where there is one. */
  readonly status: number;
  /** `ERR_COMMAND_…`, or a code of the app. */
  readonly code: string;
  /** Safe to show. */
  readonly message: string;
  readonly fields?: readonly FieldIssue[] | undefined;
  readonly retryAfterMs?: number | undefined;
}
