/**
 * Owns the receiving end: verified over the raw bytes, each event taken once, the caller told as little as possible.
 */
import {
  type Clock,
  check,
  type DomainEvent,
  type Logger,
  messageOf,
  resolveOptions,
  silentLogger,
  systemClock,
  toLogText,
} from '@guildkit/core';
import { readBytes } from '../shared/read-body.js';
import { refusalResponse, requestIdOf } from '../shared/safe-response.js';
import { readSecrets, type SecretInput } from '../shared/secrets.js';
import type { WebhookForm } from './codec/signature.js';
import { HMAC_ERRORS, type HmacErrorCode } from './errors.js';
import { SnapshotFence } from './protocol/fence.js';
import { memoryReplayStore, type ReplayStore } from './replay-store.js';
import { DEFAULT_TOLERANCE_SECONDS, verifyWith } from './verify.js';
import { BOOT_HEADER, PING_EVENT, readBody, type WebhookBody, type WebhookPosition } from './webhook-body.js';

/** Settings of {@link createWebhookReceiver}. */
export interface WebhookReceiverOptions {
  /** Any one of them may have signed. */
  readonly secrets: SecretInput;
  /**
   * Takes an event; `hub.publishDiscordEvent` fits. When it throws, or answers `'failed'`, the sender is asked to come
   * again; on `'invalid'` to set the event aside.
   */
  readonly onEvent: (event: DomainEvent, position: WebhookPosition) => unknown;
  /** @defaultValue `'hub'` */
  readonly form?: WebhookForm | undefined;
  /** Signatures and ids that were seen. @defaultValue a store in this process */
  readonly replayStore?: ReplayStore | undefined;
  /** How far a timestamp may be off, either way. @defaultValue 60 */
  readonly toleranceSeconds?: number | undefined;
  /** How long the id of a taken event is remembered, in ms. @defaultValue 600000: longer than a sender tries */
  readonly idMemoryMs?: number | undefined;
  /** @defaultValue 1048576: a snapshot of a large guild */
  readonly maxBodyBytes?: number | undefined;
  /** Names this process to the sender. @defaultValue a new one */
  readonly bootId?: string | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

/** What a receiver has counted. */
export interface WebhookReceiverStats {
  readonly accepted: number;
  /** Came again under a known id: answered with 200, not taken. */
  readonly duplicates: number;
  readonly pings: number;
  /** Overtaken by a later snapshot: answered with 200, not taken. */
  readonly late: number;
  /** `onEvent` failed; the sender comes again. */
  readonly failed: number;
  /** By reason. */
  readonly refused: Readonly<Partial<Record<HmacErrorCode, number>>>;
}

/** The receiving end of webhooks. */
export interface WebhookReceiver {
  /** Serves `POST`. Never rejects. */
  handler(request: Request): Promise<Response>;
  /** What was counted so far. */
  stats(): WebhookReceiverStats;
  readonly bootId: string;
}

interface Settings {
  readonly secrets: SecretInput;
  readonly onEvent: WebhookReceiverOptions['onEvent'] | undefined;
  readonly form: WebhookForm;
  readonly replayStore: ReplayStore | undefined;
  readonly toleranceSeconds: number;
  readonly idMemoryMs: number;
  readonly maxBodyBytes: number;
  readonly bootId: string | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
}

const DEFAULTS: Settings = {
  secrets: [],
  onEvent: undefined,
  form: 'hub',
  replayStore: undefined,
  toleranceSeconds: DEFAULT_TOLERANCE_SECONDS,
  idMemoryMs: 600_000,
  maxBodyBytes: 1_048_576,
  bootId: undefined,
  logger: silentLogger,
  clock: systemClock,
};

/** Every refusal of a signature looks the same from outside. */
const UNSIGNED = { status: 401, code: 'ERR_HTTP_AUTH_REQUIRED', message: 'The request was refused.' };

type Outcome = 'taken' | 'known' | 'late' | 'invalid' | 'failed';

/**
 * Creates the receiving end.
 *
 * @throws TypeError on options out of range.
 */
export function createWebhookReceiver(options: WebhookReceiverOptions): WebhookReceiver {
  const settings = resolveOptions<Settings>('createWebhookReceiver', DEFAULTS, options, {
    onEvent: check.function(),
    form: check.oneOf('hub', 'standard'),
    toleranceSeconds: check.integer(1, 3_600),
    idMemoryMs: check.integer(1_000),
    maxBodyBytes: check.integer(1),
  });
  const { form, toleranceSeconds, idMemoryMs, maxBodyBytes, logger, clock } = settings;
  const onEvent = settings.onEvent as WebhookReceiverOptions['onEvent'];
  const secrets = readSecrets('createWebhookReceiver', settings.secrets);
  const store = settings.replayStore ?? memoryReplayStore({ clock });
  const bootId = settings.bootId ?? crypto.randomUUID();
  const counts = { accepted: 0, duplicates: 0, pings: 0, late: 0, failed: 0 };
  const fence = new SnapshotFence();
  const refused: Partial<Record<HmacErrorCode, number>> = {};
  /** Events that are being taken: a second attempt waits for the first. */
  const underWay = new Map<string, Promise<Outcome>>();

  const done = (): Response => new Response(null, { status: 200, headers: { [BOOT_HEADER]: bootId } });

  function refuse(code: HmacErrorCode, status: number, requestId: string): Response {
    refused[code] = (refused[code] ?? 0) + 1;
    // The reason is for the log: told to the caller it would be an oracle.
    logger.warn({ code, status, requestId, reason: HMAC_ERRORS[code].message }, 'webhook refused');
    const said = status === 401 ? UNSIGNED : { status, code, message: HMAC_ERRORS[code].message };
    return refusalResponse(said, requestId, { [BOOT_HEADER]: bootId });
  }

  function unavailable(requestId: string, error: unknown, fields: Readonly<Record<string, unknown>>): Response {
    counts.failed += 1;
    logger.error(
      { ...fields, requestId, err: error, reason: toLogText(messageOf(error)) },
      'webhook could not be taken',
    );
    const said = { status: 503, code: 'ERR_HTTP_UNAVAILABLE', message: 'The event cannot be taken now.' };
    return refusalResponse(said, requestId, { [BOOT_HEADER]: bootId });
  }

  async function take({ id, event, payload, ts, traceId, epoch, seq }: WebhookBody): Promise<Outcome> {
    if (await store.has(`id:${id}`)) return 'known';
    const place = { guildId: guildOf(payload), epoch, seq, ts, isSnapshot: event === 'voice.snapshot' };
    if (fence.isLate(place)) return 'late';
    // At once, not when it is done: what comes meanwhile is late already.
    fence.passed(place);
    const domainEvent = { id, event, payload, ts, traceId } as DomainEvent;
    const outcome = await onEvent(domainEvent, { epoch, seq });
    if (outcome === 'invalid' || outcome === 'failed') return outcome;
    // Only now: an event that failed half-way is taken when it comes again.
    await store.claim(`id:${id}`, idMemoryMs);
    return 'taken';
  }

  async function accept(body: WebhookBody, requestId: string): Promise<Response> {
    const { id } = body;
    const fields = { event: toLogText(body.event), id: toLogText(id), traceId: toLogText(body.traceId), seq: body.seq };
    const before = underWay.get(id);
    const run = before ?? take(body);
    underWay.set(id, run);
    try {
      const outcome = await run;
      if (outcome === 'failed') return unavailable(requestId, 'onEvent answered "failed"', fields);
      if (outcome === 'invalid') return refuse('ERR_HMAC_BODY_MALFORMED', 400, requestId);
      const kind =
        outcome === 'late' ? 'late' : outcome === 'known' || before !== undefined ? 'duplicates' : 'accepted';
      counts[kind] += 1;
      logger.debug({ ...fields, kind }, 'webhook answered');
      return done();
    } catch (error) {
      return unavailable(requestId, error, fields);
    } finally {
      if (underWay.get(id) === run) underWay.delete(id);
    }
  }

  return {
    bootId,
    stats: () => ({ ...counts, refused: { ...refused } }),
    async handler(request) {
      const requestId = requestIdOf(request);
      if (request.method !== 'POST') {
        return refusalResponse({ status: 405, code: 'ERR_HTTP_METHOD_UNKNOWN', message: 'Send POST.' }, requestId, {
          allow: 'POST',
        });
      }
      const read = await readBytes(request, maxBodyBytes);
      if (read.kind === 'tooLarge') return refuse('ERR_HMAC_BODY_TOO_LARGE', 413, requestId);
      if (read.kind === 'unreadable') return refuse('ERR_HMAC_BODY_MALFORMED', 400, requestId);
      try {
        const { headers } = request;
        const input = { body: read.bytes, headers, secrets: '', form, toleranceSeconds, clock, replayStore: store };
        const verdict = await verifyWith(secrets, input);
        if (!verdict.ok) return refuse(verdict.code, 401, requestId);
      } catch (error) {
        return unavailable(requestId, error, {});
      }
      const body = readBody(read.bytes);
      if (body === undefined) return refuse('ERR_HMAC_BODY_MALFORMED', 400, requestId);
      if (body.event === PING_EVENT) {
        counts.pings += 1;
        return done();
      }
      return accept(body, requestId);
    },
  };
}

/** Only what belongs to a guild can be overtaken by its snapshot. */
function guildOf(payload: unknown): string {
  const { guildId } = Object(payload) as { guildId?: unknown };
  return typeof guildId === 'string' ? guildId : '';
}
