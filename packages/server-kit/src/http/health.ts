/** Owns `GET /health`: whether this process does its work. Refuses to say why not to whoever asks: that is in the log. */
import { type Clock, check, type Logger, messageOf, resolveOptions, silentLogger, systemClock } from '@guildkit/core';
import { requestIdOf } from '../shared/safe-response.js';
import type { WebHandler } from './handler.js';
import { httpRefusal } from './handler.js';
import { jsonResponse } from './json.js';

/** One check's verdict: yes or no, or that with figures that everyone may read. */
export type HealthVerdict = boolean | { readonly ok: boolean; readonly [figure: string]: unknown };

/** Settings of {@link createHealthHandler}. */
export interface HealthOptions {
  /** Checks by name; one that throws or takes too long has failed. */
  readonly checks: Readonly<Record<string, () => HealthVerdict | Promise<HealthVerdict>>>;
  /** How long one check may take, in ms. @defaultValue 2000 */
  readonly timeoutMs?: number | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

interface Settings {
  readonly checks: HealthOptions['checks'];
  readonly timeoutMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
}

const DEFAULTS: Settings = { checks: {}, timeoutMs: 2_000, logger: silentLogger, clock: systemClock };

/** Creates the handler: 200 when all is well, 503 otherwise, `{ ok, checks: { name: { ok, … } } }` either way. */
export function createHealthHandler(options: HealthOptions): WebHandler {
  const { checks, timeoutMs, logger, clock } = resolveOptions('createHealthHandler', DEFAULTS, options, {
    timeoutMs: check.integer(1, 60_000),
  });

  async function run(name: string, ask: HealthOptions['checks'][string]): Promise<Exclude<HealthVerdict, boolean>> {
    let timer: unknown;
    const late = new Promise<never>((_, reject) => {
      timer = clock.setTimer(() => reject(new Error(`no verdict within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      const verdict = await Promise.race([Promise.resolve().then(ask), late]);
      return typeof verdict === 'object' && verdict !== null
        ? { ...verdict, ok: verdict.ok === true }
        : { ok: verdict === true };
    } catch (error) {
      logger.warn({ check: name, reason: messageOf(error) }, 'health check failed');
      return { ok: false };
    } finally {
      clock.clearTimer(timer);
    }
  }

  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return httpRefusal('ERR_HTTP_METHOD_UNKNOWN', 405, requestIdOf(request));
    }
    const verdicts = await Promise.all(
      Object.entries(checks).map(async ([name, ask]) => [name, await run(name, ask)] as const),
    );
    const ok = verdicts.every(([, verdict]) => verdict.ok);
    return jsonResponse({ ok, checks: Object.fromEntries(verdicts) }, { status: ok ? 200 : 503 });
  };
}
