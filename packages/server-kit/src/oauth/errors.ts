/** Owns what can go wrong between the app, Discord and a browser that logs in, with the HTTP status of each. */
import { GuildkitError, type GuildkitErrorInit, isErrorNamed } from '@guildkit/core';
import type { ErrorEntry } from '../errors.js';

/** Every code of {@link OAuthError}. */
export const OAUTH_ERRORS = {
  ERR_OAUTH_STATE_INVALID: {
    message: 'This login was not begun here.',
    remedy: 'Start the login anew in the same browser; cookies must be allowed.',
  },
  ERR_OAUTH_STATE_EXPIRED: { message: 'The login took too long.', remedy: 'Start the login anew.' },
  ERR_OAUTH_LOGIN_DENIED: {
    message: 'The login was not allowed.',
    remedy: 'Allow it on Discord’s page, or go on without logging in.',
  },
  ERR_OAUTH_CODE_REFUSED: {
    message: 'Discord does not accept the code.',
    remedy: 'Start the login anew; a code works once and for ten minutes.',
  },
  ERR_OAUTH_SCOPE_MISSING: {
    message: 'Discord did not grant everything that was asked for.',
    remedy: 'Allow all of it on Discord’s page.',
  },
  ERR_OAUTH_GRANT_ENDED: {
    message: 'Discord has ended the login.',
    remedy: 'Log in again; the app was removed from the account, or the refresh token was used elsewhere.',
  },
  ERR_OAUTH_CLIENT_REFUSED: {
    message: 'Discord does not accept this app.',
    remedy: 'Check clientId, clientSecret and redirectUri with the developer portal.',
  },
  ERR_OAUTH_PROVIDER_UNAVAILABLE: {
    message: 'Discord cannot be reached.',
    remedy: 'Try again later.',
    retryable: true,
  },
  ERR_OAUTH_RESPONSE_MALFORMED: {
    message: 'Discord’s answer was not understood.',
    remedy: 'Check apiBase and any proxy between.',
  },
  ERR_OAUTH_SESSION_REQUIRED: { message: 'Log in first.', remedy: 'Go through the login.' },
  ERR_OAUTH_ORIGIN_FORBIDDEN: {
    message: 'This page may not do that.',
    remedy: 'Send state-changing requests from pages of `origin`; add others to `origins`.',
  },
} as const satisfies Record<string, ErrorEntry>;

/** A code of {@link OAuthError}. */
export type OAuthErrorCode = keyof typeof OAUTH_ERRORS;

/** The status of each code. `/http` says the same. */
export const OAUTH_STATUS: Readonly<Record<OAuthErrorCode, number>> = {
  ERR_OAUTH_STATE_INVALID: 400,
  ERR_OAUTH_STATE_EXPIRED: 400,
  ERR_OAUTH_LOGIN_DENIED: 403,
  ERR_OAUTH_CODE_REFUSED: 400,
  ERR_OAUTH_SCOPE_MISSING: 403,
  ERR_OAUTH_GRANT_ENDED: 401,
  ERR_OAUTH_CLIENT_REFUSED: 502,
  ERR_OAUTH_PROVIDER_UNAVAILABLE: 502,
  ERR_OAUTH_RESPONSE_MALFORMED: 502,
  ERR_OAUTH_SESSION_REQUIRED: 401,
  ERR_OAUTH_ORIGIN_FORBIDDEN: 403,
};

/** A login or a session failed. The message holds no code and no token. */
export class OAuthError extends GuildkitError<OAuthErrorCode> {
  constructor(code: OAuthErrorCode, init: Omit<GuildkitErrorInit, 'code'> = {}) {
    const entry: ErrorEntry = OAUTH_ERRORS[code];
    super('OAuthError', entry.message, { retryable: entry.retryable, ...init, code });
  }

  /** Whether a value is an `OAuthError`, of whichever copy or module format. */
  static override is(value: unknown): value is OAuthError {
    return isErrorNamed(value, 'OAuthError');
  }
}
