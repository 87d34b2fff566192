/** Owns the reasons for which an invite is refused. */
import { GuildkitError, type GuildkitErrorInit, isErrorNamed } from '@guildkit/core';
import type { ErrorEntry } from '../errors.js';

/** Every code of {@link InviteError}. */
export const INVITE_ERRORS = {
  ERR_INVITE_TOKEN_INVALID: {
    message: 'This is no invite of this app.',
    remedy: 'Ask for a new invite; the link may have been cut or changed.',
  },
  ERR_INVITE_TOKEN_EXPIRED: { message: 'The invite has expired.', remedy: 'Ask for a new invite.' },
  ERR_INVITE_ROOM_MISMATCH: {
    message: 'The invite is for another room.',
    remedy: 'An invite opens the one room that it was made for.',
  },
  ERR_INVITE_TOKEN_REVOKED: {
    message: 'The invite has been revoked.',
    remedy: 'The room was closed or the invite was called back. Ask for a new one.',
  },
  ERR_INVITE_USES_SPENT: { message: 'The invite has been used up.', remedy: 'Ask for a new invite.' },
  ERR_INVITE_STORE_FULL: {
    message: 'No further invites can be kept track of.',
    remedy: 'Raise maxEntries of the invite store.',
    retryable: true,
  },
} as const satisfies Record<string, ErrorEntry>;

/** A code of {@link InviteError}. */
export type InviteErrorCode = keyof typeof INVITE_ERRORS;

/** An invite was refused. The message never holds the invite. */
export class InviteError extends GuildkitError<InviteErrorCode> {
  constructor(code: InviteErrorCode, init: Omit<GuildkitErrorInit, 'code'> = {}) {
    const entry: ErrorEntry = INVITE_ERRORS[code];
    super('InviteError', entry.message, { retryable: entry.retryable, ...init, code });
  }

  /** Whether a value is an `InviteError`, of whichever copy or module format. */
  static override is(value: unknown): value is InviteError {
    return isErrorNamed(value, 'InviteError');
  }
}
