/** Owns the codes of refused commands, each with its HTTP status. */
import { GuildkitError, type GuildkitErrorInit, isErrorNamed } from '@guildkit/core';
import type { FieldIssue } from '@guildkit/core/wire';
import type { ErrorEntry } from '../errors.js';

/** Every code of {@link CommandError} and of refused commands. */
export const COMMAND_ERRORS = {
  ERR_COMMAND_UNKNOWN: {
    status: 404,
    message: 'There is no such command.',
    remedy: 'Compare the name with the registry that the bus was given.',
  },
  ERR_COMMAND_INPUT_INVALID: {
    status: 400,
    message: 'The input does not fit the command.',
    remedy: 'See `fields`: each names where and what.',
  },
  ERR_COMMAND_FORBIDDEN: {
    status: 403,
    message: 'This command is not allowed.',
    remedy: 'The user lacks a role that the command names, or its `allow` said no.',
  },
  ERR_COMMAND_RATE_LIMITED: {
    status: 429,
    message: 'Too many commands.',
    remedy: 'Wait for retryAfterMs. On the server: raise the bucket of the user or of the channel.',
    retryable: true,
  },
  ERR_COMMAND_ID_REUSED: {
    status: 409,
    message: 'This id belongs to another command.',
    remedy: 'Give every command an id of its own; use one again only to send the same command again.',
  },
  ERR_COMMAND_ANSWER_PENDING: {
    status: 409,
    message: 'This command is being carried out.',
    remedy: 'Send it again with the same id after retryAfterMs: it gets the answer of the first.',
    retryable: true,
  },
  ERR_COMMAND_ANSWER_LOST: {
    status: 502,
    message: 'It is not known whether this command was carried out.',
    remedy:
      'The process that had it ended before its answer was kept. Look at what it was to change; a new id does it again.',
  },
  ERR_COMMAND_STORE_UNAVAILABLE: {
    status: 503,
    message: 'Commands cannot be taken now.',
    remedy: 'Try again later. On the server: `answers` rejected; its error is in the log.',
    retryable: true,
  },
  ERR_COMMAND_QUEUE_FULL: {
    status: 503,
    message: 'Too many commands wait for the connection to Discord.',
    remedy: 'Try again later. On the server: the link is down; maxQueued commands wait already.',
    retryable: true,
  },
  ERR_COMMAND_LINK_DOWN: {
    status: 502,
    message: 'There is no connection to Discord now.',
    remedy: 'Try again later. On the server: the link did not come back within queueTimeoutMs.',
    retryable: true,
  },
  ERR_COMMAND_TIMEOUT: {
    status: 502,
    message: 'The command took too long.',
    remedy: 'It may have been carried out. On the server: see what `run` waits for, or raise runTimeoutMs.',
  },
  ERR_COMMAND_REFUSED: {
    status: 409,
    message: 'The command cannot be carried out.',
    remedy: 'The cause is in the log: Discord refused it, or the app did.',
  },
  ERR_COMMAND_FAILED: {
    status: 502,
    message: 'The command could not be carried out.',
    remedy: 'Try again later. On the server: the cause is in the log.',
    retryable: true,
  },
  ERR_COMMAND_CLOSED: {
    status: 503,
    message: 'The server is going away.',
    remedy: 'Try again later; the bus was closed.',
    retryable: true,
  },
} as const satisfies Record<string, ErrorEntry & { readonly status: number }>;

/** A code of {@link CommandError} and of a refused command. */
export type CommandErrorCode = keyof typeof COMMAND_ERRORS;

/** Why a command was refused. A command's `run` may throw one to say it itself. */
export class CommandError extends GuildkitError<CommandErrorCode> {
  /** HTTP status. */
  readonly status: number;
  readonly fields: readonly FieldIssue[] | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: CommandErrorCode,
    init: Omit<GuildkitErrorInit, 'code'> & {
      /** Shown to the peer instead of the code's own sentence. */
      readonly message?: string | undefined;
      /** Instead of the code's own. */
      readonly status?: number | undefined;
      readonly fields?: readonly FieldIssue[] | undefined;
      readonly retryAfterMs?: number | undefined;
    } = {},
  ) {
    const { message, status, fields, retryAfterMs, ...rest } = init;
    const entry: ErrorEntry & { readonly status: number } = COMMAND_ERRORS[code];
    super('CommandError', message ?? entry.message, { retryable: entry.retryable, ...rest, code });
    this.status = status ?? entry.status;
    this.fields = fields;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether a value is a `CommandError`, of whichever copy or module format. */
  static override is(value: unknown): value is CommandError {
    return isErrorNamed(value, 'CommandError');
  }
}
