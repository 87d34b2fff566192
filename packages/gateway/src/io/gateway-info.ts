/** Owns asking Discord where the gateway is (Discord docs, Gateway: Get Gateway Bot), and asking again. */
import { type BackoffPolicy, backoffDelay, type Clock, messageOf, type Redacted } from '@guildkit/core';
import type { APIGatewayBotInfo } from 'discord-api-types/v10';
import { GatewayError } from '../errors.js';
import { MAX_SHARDS, SESSION_RULES } from '../protocol/session-rules.js';
import { retryAfterOf } from './socket.js';

/** One answer should not take longer. */
const REQUEST_TIMEOUT_MS = 10_000;

/** A fetcher for when no other is given. */
export function fetchGatewayInfoFrom(
  apiBase: string,
  token: Redacted,
  clock: Clock,
): (signal: AbortSignal) => Promise<APIGatewayBotInfo> {
  return async (signal) => {
    const response = await fetch(`${apiBase}/gateway/bot`, {
      headers: { authorization: `Bot ${token.reveal()}`, 'user-agent': 'DiscordBot (@guildkit/gateway, 0)' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
    if (response.ok) return checked(await response.json());
    await response.body?.cancel();
    const { status } = response;
    if (status === 401) throw new GatewayError('ERR_GATEWAY_TOKEN_REFUSED', 'Discord refused the token', { status });
    const retryAfterMs = status === 429 ? retryAfterOf(response.headers.get('retry-after'), clock) : undefined;
    throw Object.assign(
      new GatewayError('ERR_GATEWAY_INFO_UNAVAILABLE', `GET /gateway/bot answered ${status}`, {
        status,
        retryable: status === 429 || status >= 500,
      }),
      { retryAfterMs },
    );
  };
}

/** How {@link untilGatewayInfo} goes about it. */
export interface InfoRetry {
  readonly fetchInfo: (signal: AbortSignal) => Promise<APIGatewayBotInfo>;
  readonly backoff: BackoffPolicy;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Takes the token out of a text. */
  readonly redact: (text: string) => string;
  onFailure(error: GatewayError, attempt: number, delayMs: number): void;
}

/**
 * Asks until there is an answer.
 *
 * @throws GatewayError when a retry cannot help.
 * @throws The signal's reason when it fires.
 */
export async function untilGatewayInfo(options: InfoRetry): Promise<APIGatewayBotInfo> {
  const { fetchInfo, backoff, clock, random, signal, redact, onFailure } = options;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return checked(await fetchInfo(signal));
    } catch (thrown) {
      signal.throwIfAborted();
      const error = GatewayError.is(thrown) ? thrown : unavailable(messageOf(thrown), thrown, redact);
      if (!error.retryable) throw error;
      const { retryAfterMs = 0 } = error as { retryAfterMs?: number | undefined };
      const waitMs = Math.min(retryAfterMs, SESSION_RULES.maxRetryAfterMs);
      const delayMs = Math.max(waitMs, backoffDelay(attempt, random(), backoff));
      onFailure(error, attempt + 1, delayMs);
      await sleep(delayMs, clock, signal);
    }
  }
}

function unavailable(message: string, cause: unknown, redact: (text: string) => string): GatewayError {
  const safe = redact(message);
  return new GatewayError('ERR_GATEWAY_INFO_UNAVAILABLE', `GET /gateway/bot failed: ${safe}`, {
    // An error that quotes the token must not travel on inside ours.
    cause: safe === message ? cause : undefined,
    retryable: true,
  });
}

/** Takes what another program sent for what it should be, after a look. */
function checked(value: unknown): APIGatewayBotInfo {
  const info = value as APIGatewayBotInfo | null;
  if (typeof info?.url !== 'string' || !/^wss?:\/\/[^\s/?#]+/.test(info.url)) {
    throw new GatewayError('ERR_GATEWAY_INFO_UNAVAILABLE', 'GET /gateway/bot answered without a WebSocket address');
  }
  if (info.shards > MAX_SHARDS) {
    throw new GatewayError(
      'ERR_GATEWAY_INFO_UNAVAILABLE',
      `GET /gateway/bot answered with more than ${MAX_SHARDS} shards`,
    );
  }
  return info;
}

/** Waits, unless the signal fires first. */
function sleep(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clock.clearTimer(timer);
      reject(signal.reason);
    };
    const timer = clock.setTimer(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
