/** Owns why media connections are refused or end. */
import type { ErrorEntry } from '../errors.js';

/** Every code of a media connection's end, and of the relay's counters. */
export const MEDIA_ERRORS = {
  ERR_MEDIA_ORIGIN_FORBIDDEN: {
    message: 'This origin may not connect.',
    remedy: 'Add the page’s origin (scheme, host and port) to `origins`.',
  },
  ERR_MEDIA_CONNECTION_LIMIT: {
    message: 'Too many connections.',
    remedy: 'Close the media connections of other tabs, or raise maxConnectionsPerUser or maxConnections.',
    retryable: true,
  },
  ERR_MEDIA_AUTH_TIMEOUT: {
    message: 'No authentication in time.',
    remedy: 'Send `{ "type": "auth", "token": … }` in a control frame within authTimeoutMs.',
  },
  ERR_MEDIA_AUTH_REFUSED: { message: 'The proof of identity was refused.', remedy: 'Get a new token and try again.' },
  ERR_MEDIA_AUTH_EXPIRED: {
    message: 'The proof of identity has expired.',
    remedy: 'Send an `auth` control frame with a new token before the old one ends.',
  },
  ERR_MEDIA_AUTH_UNAVAILABLE: {
    message: 'Authentication is not available now.',
    remedy: 'Reconnect later. On the server: `authenticate` failed or took too long.',
    retryable: true,
  },
  ERR_MEDIA_SEAT_UNAVAILABLE: {
    message: 'There is no free seat.',
    remedy: 'Wait until someone leaves. On the server: `takeSeat` gave none; add bots to the pool.',
    retryable: true,
  },
  ERR_MEDIA_SEAT_FAILED: {
    message: 'The seat could not be taken.',
    remedy: 'Try again. On the server: `takeSeat` threw; its error is in the log.',
    retryable: true,
  },
  ERR_MEDIA_SEAT_ENDED: {
    message: 'The seat is gone.',
    remedy: 'The bot was removed from the channel, or the channel ended. Connect again to take another.',
    retryable: true,
  },
  ERR_MEDIA_FRAME_INVALID: {
    message: 'The frame is no media frame.',
    remedy: 'Build frames with buildMediaFrame() of @guildkit/core/wire; only control frames before `ready`.',
  },
  ERR_MEDIA_FRAME_TOO_LARGE: {
    message: 'The frame is too large.',
    remedy: 'Encode at a lower bitrate: 256 KiB is the bound.',
  },
  ERR_MEDIA_FRAME_RATE: {
    message: 'Too many frames.',
    remedy: 'Send what the encoder makes, once. The bounds are in the `ready` message.',
    retryable: true,
  },
  ERR_MEDIA_CONNECTION_SLOW: {
    message: 'The connection reads too slowly or does not answer.',
    remedy: 'Reconnect. Video was dropped before; what still did not fit was audio.',
    retryable: true,
  },
  ERR_MEDIA_DRAINING: {
    message: 'The server is going away.',
    remedy: 'Reconnect; another process or a later one answers.',
    retryable: true,
  },
} as const satisfies Record<string, ErrorEntry>;

/** A code of {@link MEDIA_ERRORS}: the reason of a close, and a counter. */
export type MediaErrorCode = keyof typeof MEDIA_ERRORS;
