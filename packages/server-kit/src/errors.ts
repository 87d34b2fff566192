/**
 * Owns server-kit's error classes and their closed unions of codes. Each code stands in a table with what it means,
 * the sentence a peer is told, and a remedy.
 */
import { GuildkitError, type GuildkitErrorInit, isErrorNamed } from '@guildkit/core';

/** What a code means and what to do about it. */
export interface ErrorEntry {
  /** Safe to show to a peer: says nothing of the inside. */
  readonly message: string;
  readonly remedy: string;
  /** The same call may succeed later. */
  readonly retryable?: boolean;
}

/** Every code of {@link JwtError}. */
export const JWT_ERRORS = {
  ERR_JWT_TOKEN_MALFORMED: {
    message: 'The token is not a signed JWT.',
    remedy: 'Send the compact form of a JWS: three base64url parts joined by dots.',
  },
  ERR_JWT_TOKEN_TOO_LARGE: {
    message: 'The token is too large.',
    remedy: 'Put fewer claims into the token, or raise maxTokenBytes.',
  },
  ERR_JWT_ALGORITHM_FORBIDDEN: {
    message: 'The token is signed with an algorithm that is not accepted.',
    remedy: 'List the algorithm of the identity provider in `algorithms`. `none` and HMAC can never be listed.',
  },
  ERR_JWT_KEY_UNKNOWN: {
    message: 'The token is signed with an unknown key.',
    remedy: 'The key was rotated out, or the token is from another issuer. Get a new token.',
  },
  ERR_JWT_SIGNATURE_INVALID: {
    message: 'The signature of the token is wrong.',
    remedy: 'The token was altered or signed by someone else. Get a new token.',
  },
  ERR_JWT_TOKEN_EXPIRED: { message: 'The token has expired.', remedy: 'Get a new token.' },
  ERR_JWT_TOKEN_NOT_YET_VALID: {
    message: 'The token is not valid yet.',
    remedy: 'Check the clocks of both machines, or set clockToleranceSeconds.',
  },
  ERR_JWT_TOKEN_TOO_OLD: {
    message: 'The token was issued too long ago.',
    remedy: 'Get a new token, or raise maxAgeSeconds.',
  },
  ERR_JWT_ISSUER_MISMATCH: {
    message: 'The token is from another issuer.',
    remedy: 'Compare the `iss` claim with the `issuer` option: they must be equal to the letter.',
  },
  ERR_JWT_AUDIENCE_MISMATCH: {
    message: 'The token is for another audience.',
    remedy: 'Compare the `aud` claim with the `audience` option.',
  },
  ERR_JWT_CLAIM_INVALID: {
    message: 'A claim of the token is missing or has the wrong form.',
    remedy: '`sub` must be a non-empty string, `exp` a number, `roles` (if any) an array of strings.',
  },
  ERR_JWT_JWKS_UNAVAILABLE: {
    message: 'The keys of the issuer cannot be fetched.',
    remedy: 'Check that jwksUrl can be reached from this machine; the verifier tries again by itself.',
  },
  ERR_JWT_JWKS_INVALID: {
    message: 'The key set of the issuer is malformed.',
    remedy: 'jwksUrl, jwks and getJwks must give `{ "keys": [...] }` of public keys (RFC 7517, section 5).',
  },
  ERR_JWT_PRIVATE_KEY_INVALID: {
    message: 'The private key cannot be used.',
    remedy: 'privateJwk must be a private JWK of type EC P-256 (ES256) or OKP Ed25519 (EdDSA).',
  },
} as const satisfies Record<string, ErrorEntry>;

/** A code of {@link JwtError}. */
export type JwtErrorCode = keyof typeof JWT_ERRORS;

/** A token was refused, or keys could not be had. The message never holds the token. */
export class JwtError extends GuildkitError<JwtErrorCode> {
  constructor(code: JwtErrorCode, init: Omit<GuildkitErrorInit, 'code'> & { readonly detail?: string } = {}) {
    const { detail, ...rest } = init;
    super('JwtError', detail === undefined ? JWT_ERRORS[code].message : `${JWT_ERRORS[code].message} ${detail}`, {
      ...rest,
      code,
    });
  }

  /** Whether a value is a `JwtError`, of whichever copy or module format. */
  static override is(value: unknown): value is JwtError {
    return isErrorNamed(value, 'JwtError');
  }
}

/** Every code of {@link HubError} and of the hub's `error` frames. */
export const HUB_ERRORS = {
  ERR_HUB_ORIGIN_FORBIDDEN: {
    message: 'This origin may not connect.',
    remedy: 'Add the page’s origin (scheme, host and port) to `origins`.',
  },
  ERR_HUB_CONNECTION_LIMIT: {
    message: 'Too many connections.',
    remedy: 'Close connections that are not needed, or raise maxConnectionsPerUser or maxConnections.',
  },
  ERR_HUB_CONNECTION_SLOW: {
    message: 'The connection reads too slowly or does not answer.',
    remedy:
      'Reconnect; the missed events are recovered. The bounds are maxBufferedBytes, pongTimeoutMs and maxLagEvents.',
  },
  ERR_HUB_SOCKET_FAILED: {
    message: 'The WebSocket protocol was violated.',
    remedy: 'Check the client library and any proxy between: a frame broke RFC 6455.',
  },
  ERR_HUB_FRAME_MALFORMED: {
    message: 'The frame is not a JSON envelope.',
    remedy: 'Send text frames holding `{ "v": 1, "type": …, "id": …, "payload": … }`.',
  },
  ERR_HUB_FRAME_UNKNOWN: {
    message: 'The frame has an unknown type.',
    remedy: 'Known types: auth, subscribe, unsubscribe, command, pong.',
  },
  ERR_HUB_FRAME_INVALID: {
    message: 'The frame does not fit its type.',
    remedy: 'Compare the frame with the schemas of @guildkit/core/wire/schema.',
  },
  ERR_HUB_FRAME_TOO_LARGE: {
    message: 'The frame is too large.',
    remedy: 'Send less at once, or raise maxFrameBytes.',
  },
  ERR_HUB_FRAME_RATE: {
    message: 'Too many frames.',
    remedy: 'Send fewer frames per second, or raise maxFramesPerSecond.',
  },
  ERR_HUB_AUTH_REQUIRED: {
    message: 'Authenticate first.',
    remedy: 'Send an `auth` frame after `sys.welcome`, before anything else.',
  },
  ERR_HUB_AUTH_TIMEOUT: {
    message: 'No authentication in time.',
    remedy: 'Send an `auth` frame within authTimeoutMs of `sys.welcome`.',
  },
  ERR_HUB_AUTH_REFUSED: { message: 'The proof of identity was refused.', remedy: 'Get a new token and try again.' },
  ERR_HUB_AUTH_EXPIRED: {
    message: 'The proof of identity has expired.',
    remedy: 'Answer `sys.reauth` with an `auth` frame that carries a new token.',
  },
  ERR_HUB_AUTH_PENDING: {
    message: 'An authentication is under way.',
    remedy: 'Wait for the answer to the first `auth` frame.',
  },
  ERR_HUB_AUTH_USER_CHANGED: {
    message: 'A connection belongs to one user.',
    remedy: 'Open a new connection for another user.',
  },
  ERR_HUB_AUTH_UNAVAILABLE: {
    message: 'Authentication is not available now.',
    remedy: 'Reconnect later. On the server: `authenticate` failed or took too long; its error is in the log.',
  },
  ERR_HUB_ROOM_INVALID: {
    message: 'This is no room name.',
    remedy: 'Rooms are `guild:<id>`, `channel:<id>` and `user:<id>`.',
  },
  ERR_HUB_ROOM_FORBIDDEN: { message: 'Access to this room is denied.', remedy: '`authorize` said no for this user.' },
  ERR_HUB_SUBSCRIPTION_LIMIT: {
    message: 'Too many subscriptions.',
    remedy: 'Unsubscribe from rooms that are not shown, or raise maxSubscriptions.',
  },
  ERR_HUB_SUBSCRIPTION_CANCELLED: {
    message: 'A later frame replaced this subscription.',
    remedy: 'Nothing: the later frame has its own answer.',
  },
  ERR_HUB_SUBSCRIPTION_FAILED: {
    message: 'The room cannot be read now.',
    remedy: 'Subscribe again later. On the server: `authorize` or the engine failed; the error is in the log.',
  },
  ERR_HUB_COMMAND_UNKNOWN: {
    message: 'There is no such command.',
    remedy: 'Give the hub `onCommand`, such as the `handle` of a CommandBus.',
  },
  ERR_HUB_COMMAND_LIMIT: {
    message: 'Too many commands wait for their answers.',
    remedy: 'Wait for answers before sending more, or raise maxPendingCommands.',
  },
  ERR_HUB_COMMAND_FAILED: {
    message: 'The command could not be carried out.',
    remedy: 'Try again later. On the server: `onCommand` threw; its error is in the log.',
  },
  ERR_HUB_REQUEST_INVALID: {
    message: 'The request cannot be read.',
    remedy:
      'Ask for a stream with GET and `?rooms=`; post commands as JSON, uncompressed: a `command` or `pong` frame of @guildkit/core/wire.',
  },
  ERR_HUB_REQUEST_METHOD: { message: 'The method is not served here.', remedy: 'See the `Allow` header.' },
  ERR_HUB_STREAM_UNKNOWN: {
    message: 'This process holds no such stream of yours.',
    remedy: 'The stream has ended, or another process holds it: send what belongs to a stream to the same process.',
  },
  ERR_HUB_DRAINING: {
    message: 'The server is going away.',
    remedy: 'Reconnect; another process or a later one answers.',
  },
  ERR_HUB_EVENT_INVALID: {
    message: 'The event cannot be published.',
    remedy:
      'Give a name that is not `sys.*`, a payload that JSON can hold, and for Discord events the documented fields.',
  },
  ERR_HUB_EVENT_TOO_LARGE: {
    message: 'The event is too large.',
    remedy: 'Publish less at once, or raise maxEventBytes.',
  },
  ERR_HUB_PUBLISH_FAILED: {
    message: 'The engine did not take the event.',
    remedy: 'The cause is in `cause` and in the log. Publishing again with the same id is safe.',
  },
  ERR_HUB_CLOSED: { message: 'The hub is closed.', remedy: 'Do not publish after close().' },
} as const satisfies Record<string, ErrorEntry>;

/** A code of {@link HubError}, of an `error` frame and of the hub's counters. */
export type HubErrorCode = keyof typeof HUB_ERRORS;

/** The hub refused a call. What peers did wrong is never thrown: it is counted, logged and answered. */
export class HubError extends GuildkitError<HubErrorCode> {
  constructor(code: HubErrorCode, init: Omit<GuildkitErrorInit, 'code'> & { readonly detail?: string } = {}) {
    const { detail, ...rest } = init;
    super('HubError', detail === undefined ? HUB_ERRORS[code].message : `${HUB_ERRORS[code].message} ${detail}`, {
      ...rest,
      code,
    });
  }

  /** Whether a value is a `HubError`, of whichever copy or module format. */
  static override is(value: unknown): value is HubError {
    return isErrorNamed(value, 'HubError');
  }
}
