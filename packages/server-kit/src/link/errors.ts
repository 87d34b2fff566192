/** Owns what can go wrong on the link between app and gateway service. */
import { GuildkitError, type GuildkitErrorInit, isErrorNamed } from '@guildkit/core';
import type { ErrorEntry } from '../errors.js';

/** Every code of {@link LinkError} and of `error` frames. */
export const LINK_ERRORS = {
  ERR_LINK_TOKEN_REFUSED: {
    message: 'The gateway service does not accept the token.',
    remedy: 'Compare LINK_TOKEN of both sides. The token is read again before each try.',
    retryable: true,
  },
  ERR_LINK_CONNECTION_LOST: {
    message: 'The link to the gateway service was lost.',
    remedy: 'Nothing: it comes back by itself, and what was missed follows.',
    retryable: true,
  },
  ERR_LINK_CONNECTION_SILENT: {
    message: 'The other side of the link does not answer.',
    remedy: 'Nothing: it is dialled again. If it stays so, look at the network between.',
    retryable: true,
  },
  ERR_LINK_CONNECTION_SLOW: {
    message: 'The app reads the link too slowly.',
    remedy: 'It reconnects and gets what it missed. See what blocks its event loop, or raise maxBufferedBytes.',
    retryable: true,
  },
  ERR_LINK_FRAME_MALFORMED: {
    message: 'A frame of the link was not understood.',
    remedy: 'Run the same version of guildkit on both sides.',
  },
  ERR_LINK_EVENTS_MISSED: {
    message: 'Events between were not kept; a snapshot follows.',
    remedy: 'Nothing. If it happens often, raise maxEvents of the LinkServer.',
  },
  ERR_LINK_EVENT_LOST: {
    message: 'An event could not be taken in; a snapshot follows.',
    remedy: 'See what `onEvent` threw.',
  },
  ERR_LINK_QUEUE_FULL: {
    message: 'Too many commands wait for the link.',
    remedy: 'Try again later, or raise maxCommands.',
    retryable: true,
  },
  ERR_LINK_COMMAND_EXPIRED: {
    message: 'The link did not come back in time. The command was not sent.',
    remedy: 'Try again later.',
    retryable: true,
  },
  ERR_LINK_COMMAND_UNANSWERED: {
    message: 'The command was sent and not answered in time. It may have been carried out.',
    remedy: 'Look at the state before trying again; the same requestId is safe.',
  },
  ERR_LINK_COMMAND_FAILED: {
    message: 'The gateway service could not carry out the command.',
    remedy: 'Its log has the cause under the traceId.',
  },
  ERR_LINK_COMMAND_RATE_LIMITED: {
    message: 'Discord’s rate limit was hit.',
    remedy: 'Wait for retryAfterMs.',
    retryable: true,
  },
  ERR_LINK_SATURATED: {
    message: 'The gateway service has too many commands under way.',
    remedy: 'Try again later, or raise maxResults of the LinkServer.',
    retryable: true,
  },
  ERR_LINK_CLOSED: { message: 'The link was closed.', remedy: 'Do not send commands after close().' },
} as const satisfies Record<string, ErrorEntry>;

/** A code of {@link LinkError}. */
export type LinkErrorCode = keyof typeof LINK_ERRORS;

/** Where it is not 502. */
const STATUS: Readonly<Partial<Record<LinkErrorCode, number>>> = {
  ERR_LINK_COMMAND_RATE_LIMITED: 429,
  ERR_LINK_QUEUE_FULL: 503,
  ERR_LINK_SATURATED: 503,
  ERR_LINK_CLOSED: 503,
};

/** The link failed, or a command on it. */
export class LinkError extends GuildkitError<LinkErrorCode> {
  /** When to try again, ms from now. */
  readonly retryAfterMs: number | undefined;
  /** The code that the gateway service gave. */
  readonly remoteCode: string | undefined;
  /** What an HTTP answer would say: 429, 502 or 503; Discord's own 400, 403, 404 or 409 where it refused the command. */
  readonly status: number;

  constructor(
    code: LinkErrorCode,
    init: Omit<GuildkitErrorInit, 'code'> & {
      readonly retryAfterMs?: number | undefined;
      readonly remoteCode?: string | undefined;
      readonly status?: number | undefined;
    } = {},
  ) {
    const { retryAfterMs, remoteCode, status, ...rest } = init;
    const entry: ErrorEntry = LINK_ERRORS[code];
    super('LinkError', entry.message, { retryable: entry.retryable, ...rest, code });
    this.retryAfterMs = retryAfterMs;
    this.remoteCode = remoteCode;
    this.status = status ?? STATUS[code] ?? 502;
  }

  /** Whether a value is a `LinkError`, of whichever copy or module format. */
  static override is(value: unknown): value is LinkError {
    return isErrorNamed(value, 'LinkError');
  }
}
