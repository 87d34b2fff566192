/** Owns why a room cannot be made, joined or ended, with the HTTP status of each. */
import { GuildkitError, type GuildkitErrorInit, isErrorNamed } from '@guildkit/core';
import type { ErrorEntry } from '../errors.js';
import type { FieldProblem } from '../shared/safe-response.js';

/** Every code of {@link RoomError}. */
export const ROOM_ERRORS = {
  ERR_ROOM_INPUT_INVALID: { message: 'The input is not valid.', remedy: 'Correct the fields that `fields` names.' },
  ERR_ROOM_UNKNOWN: { message: 'There is no such room.', remedy: 'Check the channel id; the room may be long over.' },
  ERR_ROOM_OVER: { message: 'The room is over.', remedy: 'Create another one.' },
  ERR_ROOM_FULL: { message: 'The room is full.', remedy: 'Wait until someone leaves, or create another room.' },
  ERR_ROOM_FORBIDDEN: {
    message: 'This is for the room’s creator and for moderators.',
    remedy: 'Ask whoever created the room; moderators are those that `isModerator` names.',
  },
  ERR_ROOM_SESSION_REQUIRED: { message: 'Log in first.', remedy: 'Go through the login.' },
  ERR_ROOM_MEMBERSHIP_REQUIRED: {
    message: 'You are not a member of the Discord server.',
    remedy: 'Join it, or log in again with the scope guilds.join.',
  },
  ERR_ROOM_BUSY: {
    message: 'A room of yours is being created.',
    remedy: 'Wait for it, then try again.',
    retryable: true,
  },
  ERR_ROOM_LIMIT: {
    message: 'You have as many rooms as one person may.',
    remedy: 'End one of them, or raise maxRoomsPerCreator.',
  },
  ERR_ROOM_DISCORD_FAILED: {
    message: 'Discord did not do what was asked.',
    remedy: 'Try again later; the cause is in `cause` and in the log.',
    retryable: true,
  },
} as const satisfies Record<string, ErrorEntry>;

/** A code of {@link RoomError}. */
export type RoomErrorCode = keyof typeof ROOM_ERRORS;

/** The status of each code. `/http` says the same. */
export const ROOM_STATUS: Readonly<Record<RoomErrorCode, number>> = {
  ERR_ROOM_INPUT_INVALID: 400,
  ERR_ROOM_UNKNOWN: 404,
  ERR_ROOM_OVER: 409,
  ERR_ROOM_FULL: 409,
  ERR_ROOM_FORBIDDEN: 403,
  ERR_ROOM_SESSION_REQUIRED: 401,
  ERR_ROOM_MEMBERSHIP_REQUIRED: 403,
  ERR_ROOM_BUSY: 409,
  ERR_ROOM_LIMIT: 409,
  ERR_ROOM_DISCORD_FAILED: 502,
};

/** A room cannot be made, joined or ended. */
export class RoomError extends GuildkitError<RoomErrorCode> {
  /** What is wrong with which field. */
  readonly fields: readonly FieldProblem[] | undefined;

  constructor(
    code: RoomErrorCode,
    init: Omit<GuildkitErrorInit, 'code'> & { readonly fields?: readonly FieldProblem[] | undefined } = {},
  ) {
    const { fields, ...rest } = init;
    const entry: ErrorEntry = ROOM_ERRORS[code];
    super('RoomError', entry.message, { retryable: entry.retryable, ...rest, code });
    this.fields = fields;
  }

  /** Whether a value is a `RoomError`, of whichever copy or module format. */
  static override is(value: unknown): value is RoomError {
    return isErrorNamed(value, 'RoomError');
  }
}

/** What a caller is told of something that was thrown. */
export function toRoomError(error: unknown): Error {
  return RoomError.is(error) ? error : new RoomError('ERR_ROOM_DISCORD_FAILED', { cause: error });
}
