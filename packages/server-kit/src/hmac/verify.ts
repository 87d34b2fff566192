/** Owns signing a body and the verdict on a signed one. */
import { type Clock, Redacted, systemClock } from '@guildkit/core';
import { readSecrets, type SecretInput } from '../shared/secrets.js';
import { type HeadersInput, matchingSignature, readHeaders, sign, type WebhookForm } from './codec/signature.js';
import type { HmacErrorCode } from './errors.js';
import type { ReplayStore } from './replay-store.js';

/** How far a timestamp may be from now, either way, in seconds. */
export const DEFAULT_TOLERANCE_SECONDS = 60;

/** Settings of {@link signWebhook}. */
export interface SignOptions {
  /** The first one signs. */
  readonly secrets: SecretInput;
  /** Unix seconds. @defaultValue now */
  readonly timestamp?: number | undefined;
  /** @defaultValue `'hub'` */
  readonly form?: WebhookForm | undefined;
  /** The message's id: required by the `standard` form, which signs it. */
  readonly id?: string | undefined;
}

/**
 * The headers that sign a body.
 *
 * @throws TypeError on unusable secrets, or a missing id in the `standard` form.
 *
 * @example
 * ```ts
 * import { signWebhook, verifyWebhook } from '@guildkit/server-kit/hmac';
 *
 * const secrets = 'a secret of at least 16 characters';
 * const body = new TextEncoder().encode(JSON.stringify({ hello: 'world' }));
 * const verdict = await verifyWebhook({ body, headers: signWebhook(body, { secrets }), secrets });
 * console.log(verdict.ok); // true
 * ```
 */
export function signWebhook(body: string | Uint8Array, options: SignOptions): Readonly<Record<string, string>> {
  const { form = 'hub', id = '', timestamp = Math.floor(systemClock.wallTime() / 1000) } = options;
  const [secret] = readSecrets('signWebhook', options.secrets);
  if (form === 'standard' && id === '') throw new TypeError('signWebhook: the standard form needs an id');
  return sign(form, secret ?? new Redacted(''), { id, timestamp, body: bytesOf(body) });
}

/** A signed request, as it came. */
export interface VerifyInput {
  /** The raw bytes; a text is taken as UTF-8. Never parsed and written again: that changes them. */
  readonly body: string | Uint8Array;
  readonly headers: HeadersInput;
  /** Any one of them may have signed. */
  readonly secrets: SecretInput;
  /** @defaultValue `'hub'` */
  readonly form?: WebhookForm | undefined;
  /** How far the timestamp may be off, either way. @defaultValue 60 */
  readonly toleranceSeconds?: number | undefined;
  /** Refuses what came before. Without it a request can be replayed within the tolerance. */
  readonly replayStore?: ReplayStore | undefined;
  readonly clock?: Clock | undefined;
}

/** The verdict on a signed request. */
export type WebhookVerdict =
  | { readonly ok: true; readonly timestamp: number /** `''` in the `hub` form. */; readonly id: string }
  | { readonly ok: false; readonly code: HmacErrorCode };

/**
 * Looks at a signed request. What is wrong with it is a verdict, never an exception; do not tell the caller which.
 *
 * @throws TypeError on unusable secrets; what the replay store throws.
 */
export async function verifyWebhook(input: VerifyInput): Promise<WebhookVerdict> {
  return verifyWith(readSecrets('verifyWebhook', input.secrets), input);
}

/** As {@link verifyWebhook}, with secrets that were read before. */
export async function verifyWith(secrets: readonly Redacted[], input: VerifyInput): Promise<WebhookVerdict> {
  const { form = 'hub', toleranceSeconds = DEFAULT_TOLERANCE_SECONDS, clock = systemClock, replayStore } = input;
  const facts = readHeaders(form, input.headers);
  if (facts === 'missing') return { ok: false, code: 'ERR_HMAC_HEADERS_MISSING' };
  if (facts === 'malformed') return { ok: false, code: 'ERR_HMAC_HEADERS_MALFORMED' };
  const timestamp = Number(facts.timestamp);
  const skew = Math.abs(clock.wallTime() / 1000 - timestamp);
  if (!(skew <= toleranceSeconds)) return { ok: false, code: 'ERR_HMAC_TIMESTAMP_SKEWED' };
  const mac = matchingSignature(form, secrets, facts, bytesOf(input.body));
  if (mac === undefined) return { ok: false, code: 'ERR_HMAC_SIGNATURE_MISMATCH' };
  // The computed one, not the sent one: hex has two spellings. After both edges of the tolerance it is too old anyway.
  const keepMs = (2 * toleranceSeconds + 1) * 1000;
  const isNew = replayStore === undefined || (await replayStore.claim(`signature:${mac.toString('base64')}`, keepMs));
  return isNew ? { ok: true, timestamp, id: facts.id } : { ok: false, code: 'ERR_HMAC_SIGNATURE_REPLAYED' };
}

function bytesOf(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? new TextEncoder().encode(body) : body;
}
