/**
 * What docs/errors.md says of a code beside its remedy: its meaning, where the package's own table has none, and `again`,
 * the `retryable` that the code's errors are made with. A test fails for a code that is missing here or gone.
 */
const yes = (meaning) => ({ again: 'yes', meaning });
const no = (meaning) => ({ again: 'no', meaning });
const both = (meaning) => ({ again: 'both', meaning });
const never = (meaning) => ({ again: '–', meaning });
const each = (fact, ...codes) => Object.fromEntries(codes.map((code) => [code, fact]));

/** A paragraph above a package's table, by folder. */
export const PACKAGE_NOTES = {
  core: 'Owns the base class and throws no code of its own.',
  gateway:
    '`GatewayError`: thrown, rejected with, or emitted as `error`. `shardId` and `status` (close code or HTTP status) say where.',
  'realtime-client':
    '`RealtimeError`: given to `onError` and to `state.lastError`, never thrown. `closeCode`, `room` and `detail` (the hub’s own code) say more. *again* says whether another try may help; the client makes it by itself. `CommandError`: what the promise of a command is rejected with; one that was refused with `retryAfterMs` may be tried again after it.',
  rest: '`DiscordRestError` and its subclasses. `method`, `route`, `requestId` and `attempts` say which request.',
  rtp: '`RtpError`: thrown for calls that cannot be carried out. What arrives from the network is never an error: parsers and `open` return a reason.',
  sandbox: '`SandboxError`: thrown at who uses the sandbox. What clients of it get are Discord’s own error bodies.',
  'server-kit':
    '`JwtError` of `/jwt` is thrown. `HubError` of `/hub` is thrown for calls of yours; what peers did wrong is answered with an `error` frame of the same code, and counted in `hub.stats().errors`.',
};

export const ERROR_FACTS = {
  // gateway: errors.ts, io/shard.ts (REFUSALS), io/gateway-info.ts, member-requests.ts
  ERR_GATEWAY_CLIENT_CLOSED: no('A call came after `close()` or `detach()`, or a fatal error.'),
  ERR_GATEWAY_CONNECT_ABORTED: no('The signal of `connect()` fired first.'),
  ERR_GATEWAY_TOKEN_REFUSED: no(
    'Discord does not know the token: close code 4004, or HTTP 401 when asked for the gateway.',
  ),
  ERR_GATEWAY_SHARD_INVALID: no('Close code 4010: the shard id or count is wrong.'),
  ERR_GATEWAY_SHARDING_REQUIRED: no('Close code 4011: one shard would have too many guilds.'),
  ERR_GATEWAY_VERSION_REFUSED: no('Close code 4012: the API version is not served.'),
  ERR_GATEWAY_INTENTS_INVALID: no('Close code 4013: the intents are not a valid set of bits.'),
  ERR_GATEWAY_INTENTS_DISALLOWED: no('Close code 4014: a privileged intent was not granted to the bot.'),
  ERR_GATEWAY_UPGRADE_REFUSED: no('The WebSocket upgrade was answered with 401.'),
  ERR_GATEWAY_INFO_UNAVAILABLE: both('The address of the gateway could not be had.'),
  ERR_GATEWAY_GUILD_UNKNOWN: no('READY does not list a guild that `guildId` names.'),
  ERR_GATEWAY_FRAME_MALFORMED: never('A frame of Discord was no JSON, or had the wrong shape.'),
  ERR_GATEWAY_STREAM_CORRUPT: never('The compressed stream could not be inflated, or inflated past its bounds.'),
  ERR_GATEWAY_DISPATCH_MALFORMED: never('A dispatch had fields that no domain event could be made of.'),
  ERR_GATEWAY_SEND_TIMEOUT: yes('A payload waited for a connection or the send limit longer than `sendTimeoutMs`.'),
  ERR_GATEWAY_SEND_ABORTED: no('The signal of `send()` fired first.'),
  ERR_GATEWAY_SEND_FAILED: both('The payload did not go out: no open socket, or the shard runs elsewhere.'),
  ERR_GATEWAY_SEND_QUEUE_FULL: yes('`maxQueuedSends` payloads wait already.'),
  ERR_GATEWAY_PAYLOAD_TOO_LARGE: no('A payload has more than 4096 bytes.'),
  ERR_GATEWAY_REQUEST_TIMEOUT: yes('Members or sounds did not come in time.'),
  ERR_GATEWAY_REQUEST_ABORTED: no('The signal of the request fired first.'),
  ERR_GATEWAY_REQUEST_RATE_LIMITED: yes('Discord takes the next such request only after this one’s time limit.'),
  ERR_GATEWAY_INTENT_MISSING: no('The request needs an intent that the client was not given.'),
  ERR_GATEWAY_IDENTIFY_BUDGET_SPENT: yes('The day’s IDENTIFYs are used up but for those that are kept back.'),
  ERR_GATEWAY_LISTENER_FAILED: never('A listener or an instrumentation hook threw.'),
  ERR_GATEWAY_PLATFORM_UNSUPPORTED: no('The option needs Node.js, and this is another runtime.'),
  ERR_GATEWAY_STORE_FAILED: never('The session store threw or gave what is no session.'),

  // rest: io/run.ts, io/executor.ts
  ERR_REST_REQUEST_REFUSED: no('Discord answered with 4xx.'),
  ERR_REST_REQUEST_TIMEOUT: yes('`timeoutMs` passed: queue, retries and body together.'),
  ERR_REST_REQUEST_ABORTED: no('The caller’s signal fired.'),
  ERR_REST_SERVER_FAILED: yes('Discord answered with 5xx, after all retries.'),
  ERR_REST_TOKEN_REFUSED: no('Discord answered with 401.'),
  ERR_REST_TOKEN_MISSING: no('The route wants a token and there is none.'),
  ERR_REST_RATE_LIMIT_EXCEEDED: yes('A limit frees only after the request’s deadline.'),
  ERR_REST_NETWORK_FAILED: yes('No answer after all retries: refused, reset, stalled.'),
  ERR_REST_RESPONSE_MALFORMED: no('A 2xx that is no JSON, or that the request’s schema refused.'),
  ERR_REST_RESPONSE_OVERSIZED: no('The answer is larger than `maxResponseBytes`.'),
  ERR_REST_BUDGET_EXHAUSTED: yes('So many requests were invalid that Discord would soon ban the address. Not sent.'),
  ERR_REST_INPUT_INVALID: no('An argument is not what the method takes. Not sent.'),
  ERR_REST_QUEUE_FULL: yes('`maxQueuedRequests` wait already. Not sent.'),
  ERR_REST_CLIENT_CLOSED: no('The call came after `close()`, or `close()` while it was going on.'),

  // rtp
  ERR_RTP_FIELD_INVALID: no('A field of a packet that is to be built is out of range.'),
  ERR_RTP_FRAME_INVALID: no('A frame that is to be packetized is empty or no frame of that codec.'),
  ERR_RTP_FRAME_OVERSIZED: no('A frame does not fit its packets at this `mtu`.'),
  ERR_RTP_PACKET_INVALID: no('What is to be sealed is no whole RTP or RTCP packet.'),
  ERR_RTP_MODE_UNKNOWN: no('There is no transport cipher of that name.'),
  ERR_RTP_KEY_INVALID: no('The key has not 32 bytes.'),
  ERR_RTP_NONCE_EXHAUSTED: no('The key has sealed as many packets as there are nonces.'),
  ERR_RTP_CIPHER_UNAVAILABLE: no('The library of the cipher could not be loaded.'),

  // sandbox
  ERR_SANDBOX_ADDRESS_REMOTE: no('`host` is an address that other machines can reach.'),
  ERR_SANDBOX_PORT_UNAVAILABLE: no('The port is taken or may not be used.'),
  ERR_SANDBOX_CLOSED: no('A call came after `close()`.'),
  ERR_SANDBOX_AUTHORIZE_REFUSED: no('An OAuth2 authorize request cannot be granted.'),
  ERR_SANDBOX_CHANNEL_UNKNOWN: no('There is no channel with that id.'),
  ERR_SANDBOX_CHANNEL_NOT_VOICE: no('The channel is not one to join.'),
  ERR_SANDBOX_CHANNEL_FULL: no('The channel’s `user_limit` is reached.'),
  ERR_SANDBOX_CHANNEL_NOT_TEXT: no('The channel holds no messages.'),
  ERR_SANDBOX_DAVE_UNAVAILABLE: no(
    'A simulated person sends media into a channel with DAVE, and `@snazzah/davey` is not installed.',
  ),
  ERR_SANDBOX_INVITE_UNKNOWN: no('There is no invite with that code, or it has ended.'),
  ERR_SANDBOX_MESSAGE_UNKNOWN: no('There is no message with that id.'),
  ERR_SANDBOX_MESSAGE_INVALID: no('The text or the emoji is not what Discord takes.'),
  ERR_SANDBOX_PERMISSION_MISSING: no('The person may not do that there.'),
  ERR_SANDBOX_PERSON_NOT_MEMBER: no('The person is not in the guild.'),
  ERR_SANDBOX_PERSON_UNKNOWN: no('There is no person with that id.'),
  ERR_SANDBOX_PERSON_NOT_CONNECTED: no('The person is in no voice channel.'),

  // server-kit: meanings and remedies stand in its errors.ts; jwt/jwks-source.ts, jwt/verifier.ts, hub/hub.ts
  ...each(
    { again: 'no' },
    'ERR_JWT_TOKEN_MALFORMED',
    'ERR_JWT_TOKEN_TOO_LARGE',
    'ERR_JWT_ALGORITHM_FORBIDDEN',
    'ERR_JWT_KEY_UNKNOWN',
    'ERR_JWT_SIGNATURE_INVALID',
    'ERR_JWT_TOKEN_EXPIRED',
    'ERR_JWT_TOKEN_NOT_YET_VALID',
    'ERR_JWT_TOKEN_TOO_OLD',
    'ERR_JWT_ISSUER_MISMATCH',
    'ERR_JWT_AUDIENCE_MISMATCH',
    'ERR_JWT_CLAIM_INVALID',
    'ERR_JWT_PRIVATE_KEY_INVALID',
    'ERR_HUB_ROOM_INVALID',
    'ERR_HUB_EVENT_INVALID',
    'ERR_HUB_EVENT_TOO_LARGE',
    'ERR_HUB_CLOSED',
  ),
  ...each({ again: 'yes' }, 'ERR_JWT_JWKS_UNAVAILABLE', 'ERR_HUB_PUBLISH_FAILED'),
  ...each({ again: 'both' }, 'ERR_JWT_JWKS_INVALID'),
  ...each(
    { again: '–' },
    'ERR_HUB_ORIGIN_FORBIDDEN',
    'ERR_HUB_CONNECTION_LIMIT',
    'ERR_HUB_CONNECTION_SLOW',
    'ERR_HUB_SOCKET_FAILED',
    'ERR_HUB_FRAME_MALFORMED',
    'ERR_HUB_FRAME_UNKNOWN',
    'ERR_HUB_FRAME_INVALID',
    'ERR_HUB_FRAME_TOO_LARGE',
    'ERR_HUB_FRAME_RATE',
    'ERR_HUB_AUTH_REQUIRED',
    'ERR_HUB_AUTH_TIMEOUT',
    'ERR_HUB_AUTH_REFUSED',
    'ERR_HUB_AUTH_EXPIRED',
    'ERR_HUB_AUTH_PENDING',
    'ERR_HUB_AUTH_USER_CHANGED',
    'ERR_HUB_AUTH_UNAVAILABLE',
    'ERR_HUB_ROOM_FORBIDDEN',
    'ERR_HUB_SUBSCRIPTION_LIMIT',
    'ERR_HUB_SUBSCRIPTION_CANCELLED',
    'ERR_HUB_SUBSCRIPTION_FAILED',
    'ERR_HUB_COMMAND_UNKNOWN',
    'ERR_HUB_COMMAND_LIMIT',
    'ERR_HUB_COMMAND_FAILED',
    'ERR_HUB_REQUEST_INVALID',
    'ERR_HUB_REQUEST_METHOD',
    'ERR_HUB_STREAM_UNKNOWN',
    'ERR_HUB_DRAINING',
  ),

  // realtime-client: meanings and remedies stand in its errors.ts
  ...each(
    { again: 'no' },
    'ERR_REALTIME_URL_INVALID',
    'ERR_REALTIME_CONNECTION_REFUSED',
    'ERR_REALTIME_AUTH_REFUSED',
    'ERR_REALTIME_ROOM_DENIED',
    'ERR_REALTIME_COMMAND_REFUSED',
    'ERR_REALTIME_COMMAND_ABORTED',
    'ERR_REALTIME_COMMAND_CLOSED',
  ),
  ...each(
    { again: 'yes' },
    'ERR_REALTIME_CONNECTION_LOST',
    'ERR_REALTIME_CONNECTION_TIMEOUT',
    'ERR_REALTIME_CONNECTION_SILENT',
    'ERR_REALTIME_TOKEN_UNAVAILABLE',
    'ERR_REALTIME_FRAME_MALFORMED',
    'ERR_REALTIME_PAYLOAD_INVALID',
    'ERR_REALTIME_SERVER_ERROR',
    'ERR_REALTIME_COMMAND_TIMEOUT',
    'ERR_REALTIME_COMMAND_OVERFLOW',
  ),
};
