/** Owns the package's errors: one class, one closed set of codes, a remedy for each. */
import { GuildkitError, isErrorNamed } from '@guildkit/core';
import type { FatalCloseCode } from './protocol/close-codes.js';
import type { IdentifyBudget } from './protocol/identify-budget.js';
import { privilegedIntentsIn } from './protocol/intents.js';

/** What to do about each error. The messages end with it. */
export const GATEWAY_ERROR_REMEDIES = {
  ERR_GATEWAY_CLIENT_CLOSED: 'The client was closed or detached. Make a new one.',
  ERR_GATEWAY_CONNECT_ABORTED: 'The signal passed to connect() fired. Raise its time limit if Discord was only slow.',
  ERR_GATEWAY_TOKEN_REFUSED: 'Check the bot token; reset it in the developer portal if it leaked or was reset.',
  ERR_GATEWAY_SHARD_INVALID: 'Check the shards option: every id must be below count.',
  ERR_GATEWAY_SHARDING_REQUIRED: "The bot is in too many guilds for that many shards. Use shards: 'auto'.",
  ERR_GATEWAY_VERSION_REFUSED: 'Discord no longer serves this API version. Update the package.',
  ERR_GATEWAY_INTENTS_INVALID: 'Check the intents option: an unknown bit is set.',
  ERR_GATEWAY_INTENTS_DISALLOWED:
    'Switch the privileged intents on in the developer portal (Bot page), or leave them out.',
  ERR_GATEWAY_UPGRADE_REFUSED: 'Something between here and Discord wants credentials. Check proxies and the address.',
  ERR_GATEWAY_INFO_UNAVAILABLE: 'GET /gateway/bot failed. Check apiBase and that Discord can be reached.',
  ERR_GATEWAY_GUILD_UNKNOWN: 'The bot is not in that guild. Check guildId, or invite the bot.',
  ERR_GATEWAY_FRAME_MALFORMED:
    'Nothing to do: the frame was skipped. If it repeats, look at what is between here and Discord.',
  ERR_GATEWAY_STREAM_CORRUPT:
    'Nothing to do: the connection is made anew. If it repeats, look at what is between here and Discord.',
  ERR_GATEWAY_DISPATCH_MALFORMED: 'Nothing to do: no domain event was made of that dispatch.',
  ERR_GATEWAY_SEND_TIMEOUT: 'The connection was not ready in time, or too much waits. Send again later, or less.',
  ERR_GATEWAY_SEND_ABORTED: 'The signal passed to send() fired before the payload went out.',
  ERR_GATEWAY_SEND_FAILED: 'Send again when the connection is ready, from the process that runs the shard.',
  ERR_GATEWAY_SEND_QUEUE_FULL: 'Too many sends wait for a connection. Send less, or wait for ready.',
  ERR_GATEWAY_PAYLOAD_TOO_LARGE: 'Discord refuses payloads over 4096 bytes. Split it.',
  ERR_GATEWAY_REQUEST_TIMEOUT:
    'Discord did not answer in time. Raise timeoutMs, or check that the bot is in the guild.',
  ERR_GATEWAY_REQUEST_ABORTED: 'The signal passed with the request fired.',
  ERR_GATEWAY_REQUEST_RATE_LIMITED: 'Ask again later, or raise timeoutMs: then it is waited for.',
  ERR_GATEWAY_INTENT_MISSING: 'Add the named intents to the option, and switch privileged ones on in the portal.',
  ERR_GATEWAY_IDENTIFY_BUDGET_SPENT:
    'Nothing to do: it goes on when Discord renews the budget. If it repeats, find what makes sessions end so often.',
  ERR_GATEWAY_LISTENER_FAILED: 'A listener of yours threw; `cause` holds what.',
  ERR_GATEWAY_PLATFORM_UNSUPPORTED:
    "Only Node.js has that. Elsewhere use compression 'zstd-stream' or 'none', and a session store of your own.",
  ERR_GATEWAY_STORE_FAILED: 'The session store threw; `cause` holds what. The connection goes on without it.',
} as const satisfies Readonly<Record<string, string>>;

/** Every code a {@link GatewayError} can have. */
export type GatewayErrorCode = keyof typeof GATEWAY_ERROR_REMEDIES;

/** What a {@link GatewayError} carries beside its code. */
export interface GatewayErrorInit {
  readonly retryable?: boolean | undefined;
  readonly cause?: unknown;
  /** Shard it happened on. */
  readonly shardId?: number | undefined;
  /** Gateway close code or HTTP status. */
  readonly status?: number | undefined;
}

/** What the gateway client throws, rejects with and emits as `error`. Never holds a token. */
export class GatewayError extends GuildkitError<GatewayErrorCode> {
  /** Shard it happened on, if it was one. */
  readonly shardId: number | undefined;
  /** Gateway close code or HTTP status, if there was one. */
  readonly status: number | undefined;

  /** @param what What happened, as a sentence without its full stop. The remedy is added. */
  constructor(code: GatewayErrorCode, what: string, init: GatewayErrorInit = {}) {
    super('GatewayError', `${what}. ${GATEWAY_ERROR_REMEDIES[code]}`, {
      code,
      retryable: init.retryable,
      cause: init.cause,
    });
    this.shardId = init.shardId;
    this.status = init.status;
  }

  /** Whether a value is a GatewayError, of whichever copy or module format. */
  static override is(value: unknown): value is GatewayError {
    return isErrorNamed(value, 'GatewayError');
  }
}

/** Which error a close code that ends everything becomes. */
const FATAL_CLOSE_ERRORS = {
  4004: 'ERR_GATEWAY_TOKEN_REFUSED',
  4010: 'ERR_GATEWAY_SHARD_INVALID',
  4011: 'ERR_GATEWAY_SHARDING_REQUIRED',
  4012: 'ERR_GATEWAY_VERSION_REFUSED',
  4013: 'ERR_GATEWAY_INTENTS_INVALID',
  4014: 'ERR_GATEWAY_INTENTS_DISALLOWED',
} as const satisfies Readonly<Record<FatalCloseCode, GatewayErrorCode>>;

/** The error of a connection that ended for good. @param status The close code, or the HTTP status of the upgrade. */
export function fatalError(shardId: number, status: number | undefined, intents: number): GatewayError {
  const known = (FATAL_CLOSE_ERRORS as Readonly<Record<number, GatewayErrorCode>>)[status ?? 0];
  if (known === undefined) {
    const what = `The WebSocket upgrade was refused with HTTP ${status}`;
    return new GatewayError('ERR_GATEWAY_UPGRADE_REFUSED', what, { shardId, status });
  }
  // Discord does not say which, but only these can be meant.
  const named =
    known === 'ERR_GATEWAY_INTENTS_DISALLOWED' ? ` (asked for: ${privilegedIntentsIn(intents).join(', ')})` : '';
  return new GatewayError(known, `Discord closed the connection with ${status}${named}`, { shardId, status });
}

/** The error of what is asked of a client that is over. */
export function closedError(): GatewayError {
  return new GatewayError('ERR_GATEWAY_CLIENT_CLOSED', 'The gateway client is closed');
}

/** The error of a day's IDENTIFYs that are spent but for those that are kept back. */
export function budgetSpentError({ remaining, resetAt }: IdentifyBudget): GatewayError {
  const until = new Date(resetAt).toISOString();
  const what = `No new session until ${until}: ${remaining} IDENTIFYs are left`;
  return new GatewayError('ERR_GATEWAY_IDENTIFY_BUDGET_SPENT', what, { retryable: true });
}
