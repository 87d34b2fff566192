/** A Discord behind the transport seam: it counts like the real one, in whatever time the test's clock tells. */
import type { Clock } from '@guildkit/core';
import type { Transport, TransportRequest, TransportResponse } from '@guildkit/rest';
import type { Counting } from './window-model.js';

export interface BucketRule {
  readonly hash: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly counting: Counting;
}

export interface ModelDiscordOptions {
  readonly clock: Clock;
  /** The bucket of a path, without its major parameter; `undefined` for one without headers. */
  readonly rule: (method: string, path: string) => BucketRule | undefined;
  /** How long until Discord counts a request, and from there until the answer is back, in ms. */
  readonly latency: (n: number) => readonly [there: number, back: number];
  readonly globalPerSecond?: number | undefined;
  /** An answer other than 200, after counting. */
  readonly fault?: ((n: number, request: TransportRequest) => 'reset' | 'stall' | number | undefined) | undefined;
  /** A 429 that nothing foretells, with its `retry_after` in seconds. */
  readonly tooMany?: (() => number | undefined) | undefined;
}

export interface ModelDiscord extends Transport {
  /** In the order they were sent. */
  readonly sent: TransportRequest[];
  /** In the order they were counted, refused ones left out. */
  readonly done: TransportRequest[];
  refused: number;
  /** Requests that were on their way at the same time, at most. */
  mostAtOnce: number;
}

interface Count {
  hits: number[];
  start: number;
}

export function createModelDiscord(options: ModelDiscordOptions): ModelDiscord {
  const { clock, rule, latency, globalPerSecond = Number.POSITIVE_INFINITY, fault, tooMany } = options;
  const counts = new Map<string, Count>();
  let globalHits: number[] = [];
  let underway = 0;
  const discord: ModelDiscord = { sent: [], done: [], refused: 0, mostAtOnce: 0, send, close: async () => {} };

  function tryCount(
    key: string,
    { limit, windowMs, counting }: BucketRule,
  ): { ok: boolean; left: number; resetMs: number } {
    const now = clock.now();
    const count = counts.get(key) ?? { hits: [], start: Number.NEGATIVE_INFINITY };
    counts.set(key, count);
    if (counting === 'fixed') {
      if (now >= count.start + windowMs) Object.assign(count, { hits: [], start: now });
    } else count.hits = count.hits.filter((at) => at + windowMs > now);
    const ok = count.hits.length < limit;
    if (ok) count.hits.push(now);
    const first = counting === 'fixed' ? count.start : (count.hits[0] ?? now);
    return { ok, left: limit - count.hits.length, resetMs: first + windowMs - now };
  }

  function count(request: TransportRequest, n: number): TransportResponse {
    const now = clock.now();
    globalHits = globalHits.filter((at) => at + 1_000 > now);
    if (globalHits.length >= globalPerSecond) {
      discord.refused += 1;
      return answer(429, { 'retry-after': '1', 'x-ratelimit-global': 'true' }, { retry_after: 1, global: true });
    }
    const retryAfter = tooMany?.();
    if (retryAfter !== undefined) return answer(429, { 'x-ratelimit-scope': 'user' }, { retry_after: retryAfter });
    globalHits.push(now);
    const known = rule(request.method, request.path);
    const major = /\/(?:channels|guilds)\/\d+/.exec(request.path)?.[0] ?? '';
    let headers: Record<string, string> = {};
    if (known !== undefined) {
      const { ok, left, resetMs } = tryCount(`${known.hash} ${major}`, known);
      headers = {
        'x-ratelimit-bucket': known.hash,
        'x-ratelimit-limit': String(known.limit),
        'x-ratelimit-remaining': String(left),
        'x-ratelimit-reset-after': (resetMs / 1_000).toFixed(3),
      };
      if (!ok) {
        discord.refused += 1;
        return answer(
          429,
          { ...headers, 'x-ratelimit-scope': 'user' },
          { retry_after: resetMs / 1_000, global: false },
        );
      }
    }
    const wrong = fault?.(n, request);
    if (typeof wrong === 'number') return answer(wrong, headers, { message: 'fault', code: 0 });
    discord.done.push(request);
    return answer(200, headers, { n });
  }

  function send(request: TransportRequest): Promise<TransportResponse> {
    const n = discord.sent.push(request);
    underway += 1;
    discord.mostAtOnce = Math.max(discord.mostAtOnce, underway);
    const [there, back] = latency(n);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        clock.clearTimer(timer);
        underway -= 1;
        reject(Object.assign(new Error('aborted'), { code: 'ABORT_ERR' }));
      };
      request.signal.addEventListener('abort', onAbort, { once: true });
      const arrive = (): void => {
        const wrong = fault?.(n, request);
        const response = count(request, n);
        if (wrong === 'stall') return;
        timer = clock.setTimer(() => {
          request.signal.removeEventListener('abort', onAbort);
          underway -= 1;
          if (wrong === 'reset') reject(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
          else resolve(response);
        }, back);
      };
      let timer = clock.setTimer(arrive, there);
    });
  }

  return discord;
}

function answer(status: number, headers: Record<string, string>, body: unknown): TransportResponse {
  return { status, headers, text: async () => JSON.stringify(body) };
}
