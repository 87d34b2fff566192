/**
 * Owns which HTTP status each error code of the suite becomes. By code alone, so that no part whose errors are mapped has
 * to be loaded. Refuses to guess: a code that no line fits is 500, and a test fails for it.
 */

/** One line: a code, or a beginning of codes that ends in `_`. */
type Line = readonly [match: string, status: number];

/** The first line that fits decides. */
const LINES: readonly Line[] = [
  // Keys that cannot be had are not the token's fault.
  ['ERR_JWT_JWKS_', 502],
  ['ERR_JWT_PRIVATE_KEY_INVALID', 500],
  ['ERR_JWT_', 401],

  ['ERR_HUB_ORIGIN_FORBIDDEN', 403],
  ['ERR_HUB_CONNECTION_LIMIT', 503],
  ['ERR_HUB_CONNECTION_SLOW', 503],
  ['ERR_HUB_SOCKET_FAILED', 400],
  ['ERR_HUB_FRAME_TOO_LARGE', 413],
  ['ERR_HUB_FRAME_RATE', 429],
  ['ERR_HUB_FRAME_', 400],
  ['ERR_HUB_AUTH_UNAVAILABLE', 503],
  ['ERR_HUB_AUTH_', 401],
  ['ERR_HUB_ROOM_FORBIDDEN', 403],
  ['ERR_HUB_ROOM_', 400],
  ['ERR_HUB_SUBSCRIPTION_LIMIT', 429],
  ['ERR_HUB_SUBSCRIPTION_CANCELLED', 409],
  ['ERR_HUB_SUBSCRIPTION_FAILED', 503],
  ['ERR_HUB_COMMAND_UNKNOWN', 404],
  ['ERR_HUB_EVENT_TOO_LARGE', 413],
  ['ERR_HUB_EVENT_INVALID', 400],
  ['ERR_HUB_PUBLISH_FAILED', 502],
  ['ERR_HUB_DRAINING', 503],
  ['ERR_HUB_CLOSED', 503],

  ['ERR_HTTP_INPUT_INVALID', 400],
  ['ERR_HTTP_BODY_TOO_LARGE', 413],
  ['ERR_HTTP_BODY_TYPE', 415],
  ['ERR_HTTP_BODY_', 400],
  ['ERR_HTTP_AUTH_REQUIRED', 401],
  ['ERR_HTTP_FORBIDDEN', 403],
  ['ERR_HTTP_ORIGIN_FORBIDDEN', 403],
  ['ERR_HTTP_NOT_FOUND', 404],
  ['ERR_HTTP_METHOD_UNKNOWN', 405],
  ['ERR_HTTP_CONFLICT', 409],
  ['ERR_HTTP_RATE_LIMITED', 429],
  ['ERR_HTTP_UPSTREAM_FAILED', 502],
  ['ERR_HTTP_UNAVAILABLE', 503],
  ['ERR_HTTP_INTERNAL', 500],

  ['ERR_INVITE_TOKEN_EXPIRED', 403],
  ['ERR_INVITE_TOKEN_INVALID', 403],

  ['ERR_HMAC_BODY_TOO_LARGE', 413],
  ['ERR_HMAC_BODY_MALFORMED', 400],
  ['ERR_HMAC_STORE_FULL', 503],
  ['ERR_HMAC_', 401],

  ['ERR_OAUTH_STATE_INVALID', 400],
  ['ERR_OAUTH_STATE_EXPIRED', 400],
  ['ERR_OAUTH_LOGIN_DENIED', 403],
  ['ERR_OAUTH_CODE_REFUSED', 400],
  ['ERR_OAUTH_SCOPE_MISSING', 403],
  ['ERR_OAUTH_GRANT_ENDED', 401],
  ['ERR_OAUTH_CLIENT_REFUSED', 502],
  ['ERR_OAUTH_PROVIDER_UNAVAILABLE', 502],
  ['ERR_OAUTH_RESPONSE_MALFORMED', 502],
  ['ERR_OAUTH_SESSION_REQUIRED', 401],
  ['ERR_OAUTH_ORIGIN_FORBIDDEN', 403],

  ['ERR_ROOM_INPUT_INVALID', 400],
  ['ERR_ROOM_UNKNOWN', 404],
  ['ERR_ROOM_OVER', 409],
  ['ERR_ROOM_FULL', 409],
  ['ERR_ROOM_FORBIDDEN', 403],
  ['ERR_ROOM_SESSION_REQUIRED', 401],
  ['ERR_ROOM_MEMBERSHIP_REQUIRED', 403],
  ['ERR_ROOM_BUSY', 409],
  ['ERR_ROOM_LIMIT', 409],
  ['ERR_ROOM_DISCORD_FAILED', 502],
  ['ERR_COMMAND_ID_REUSED', 409],
  ['ERR_COMMAND_STORE_UNAVAILABLE', 503],
  ['ERR_COMMAND_LINK_DOWN', 502],
  ['ERR_COMMAND_REFUSED', 409],

  ['ERR_MEDIA_CONNECTION_LIMIT', 503],
  ['ERR_MEDIA_CONNECTION_SLOW', 503],
  ['ERR_MEDIA_AUTH_UNAVAILABLE', 503],
  ['ERR_MEDIA_AUTH_', 401],
  ['ERR_MEDIA_SEAT_UNAVAILABLE', 409],
  ['ERR_MEDIA_SEAT_ENDED', 409],
  ['ERR_LINK_QUEUE_FULL', 503],
  ['ERR_LINK_CLOSED', 503],
  ['ERR_LINK_SATURATED', 503],
  ['ERR_LINK_COMMAND_RATE_LIMITED', 429],
  ['ERR_LINK_', 502],

  // Discord's own status is looked at first: see statusOf.
  ['ERR_REST_INPUT_INVALID', 400],
  ['ERR_REST_RATE_LIMIT_EXCEEDED', 429],
  ['ERR_REST_BUDGET_EXHAUSTED', 503],
  ['ERR_REST_QUEUE_FULL', 503],
  ['ERR_REST_CLIENT_CLOSED', 503],
  ['ERR_REST_', 502],
  ['ERR_GATEWAY_SEND_QUEUE_FULL', 503],
  ['ERR_GATEWAY_', 502],
  ['ERR_RTC_', 502],
  ['ERR_REDIS_', 503],
];

/** What the words at the end of a code mean, for the families whose refusals concern the caller. */
const FAMILIES = /^ERR_(HUB|COMMAND|COMMANDS|ROOM|ROOMS|INVITE|OAUTH|SESSION|LINK|HMAC|MEDIA)_/;
const ENDINGS: readonly Line[] = [
  ['_METHOD', 405],
  ['_QUEUE_FULL', 503],
  ['_STORE_FULL', 503],
  ['_SATURATED', 503],
  ['_DRAINING', 503],
  ['_CLOSED', 503],
  ['_ROOM_FULL', 409],
  ['_FULL', 409],
  ['_CONFLICT', 409],
  ['_SPENT', 409],
  ['_PENDING', 409],
  ['_RATE_LIMITED', 429],
  ['_RATE', 429],
  ['_LIMITED', 429],
  ['_LIMIT', 429],
  ['_TOO_LARGE', 413],
  ['_AUTH_REQUIRED', 401],
  ['_EXPIRED', 401],
  ['_REQUIRED', 401],
  ['_FORBIDDEN', 403],
  ['_REVOKED', 403],
  ['_MISMATCH', 403],
  ['_UNKNOWN', 404],
  ['_NOT_FOUND', 404],
  ['_INVALID', 400],
  ['_MALFORMED', 400],
  ['_UNAVAILABLE', 502],
  ['_TIMEOUT', 502],
  ['_FAILED', 502],
  ['_LOST', 502],
];

/** The status of a code; `undefined` when no line fits. */
export function statusOfCode(code: string): number | undefined {
  const line = LINES.find(([match]) => (match.endsWith('_') ? code.startsWith(match) : code === match));
  if (line !== undefined) return line[1];
  return FAMILIES.test(code) ? ENDINGS.find(([ending]) => code.endsWith(ending))?.[1] : undefined;
}

/** Whether an error's own message is meant for the caller. Those of clients of other services may speak of them. */
export function isPublic(code: string, status: number): boolean {
  return status < 500 && (/^ERR_(JWT|HTTP)_/.test(code) || FAMILIES.test(code));
}
