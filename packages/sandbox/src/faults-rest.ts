/** Owns the faults of REST: which requests are disturbed, and how. The HTTP server carries them out. */
import type { Clock } from '@guildkit/core';
import { createRandom, type Random } from './protocol/random.js';

/** How {@link Faults.disturbRest} disturbs requests. */
export interface RestFaultOptions {
  /**
   * A status from 400 to 599 instead of the answer; `'reset'`: the TCP connection is reset; `'silence'`: nothing comes.
   * @defaultValue the answer as it is, for what is only slow
   */
  readonly answer?: number | 'reset' | 'silence' | undefined;
  /** `Retry-After` and `retry_after` of a 429, in seconds. @defaultValue `1` */
  readonly retryAfterSeconds?: number | undefined;
  /** Scope of a 429. @defaultValue `'user'` */
  readonly scope?: 'user' | 'global' | 'shared' | undefined;
  /** Whether a request is carried out although its answer is lost: what a retry then does twice. @defaultValue `false` */
  readonly carriedOut?: boolean | undefined;
  /** Wait before the answer, in ms. @defaultValue `0` */
  readonly delayMs?: number | undefined;
  /** Wait in the middle of the body, in ms. @defaultValue `0` */
  readonly bodyMs?: number | undefined;
  /** Sent as the body, as HTML: what proxies answer. @defaultValue the body that belongs there */
  readonly html?: string | undefined;
  /** Part of the requests that fit, from 0 to 1, drawn at random; the others are left to the next fault. @defaultValue `1` */
  readonly share?: number | undefined;
  /** Makes another course of the same shares. @defaultValue `0` */
  readonly seed?: number | undefined;
  /** Only requests of this method. @defaultValue all */
  readonly method?: string | undefined;
  /** Only paths that begin with this, after the version: `/channels`. @defaultValue all */
  readonly path?: string | undefined;
  /** Requests after which it is over. @defaultValue no limit */
  readonly count?: number | undefined;
  /** Time after which it is over, in ms. @defaultValue no limit */
  readonly forMs?: number | undefined;
}

/** What is done to one request. */
export interface RestFault {
  readonly answer: number | 'reset' | 'silence' | undefined;
  readonly retryAfterSeconds: number;
  readonly scope: 'user' | 'global' | 'shared';
  readonly carriedOut: boolean;
  readonly delayMs: number;
  readonly bodyMs: number;
  readonly html: string | undefined;
}

interface Rule {
  readonly options: RestFaultOptions;
  readonly random: Random;
  readonly until: number;
  left: number;
}

const PREFIX = /^\/api(?:\/v\d+)?/;

/** The faults that wait for requests. */
export class RestFaults {
  private rules: Rule[] = [];
  private added = 0;

  constructor(private readonly clock: Clock) {}

  /** Adds a fault. @throws RangeError for an answer or a share that is none. */
  add(options: RestFaultOptions): void {
    const { answer, forMs = Number.POSITIVE_INFINITY, count = Number.POSITIVE_INFINITY, share = 1, seed = 0 } = options;
    const isStatus = typeof answer === 'number' && Number.isInteger(answer) && answer >= 400 && answer <= 599;
    if (answer !== undefined && !isStatus && answer !== 'reset' && answer !== 'silence') {
      throw new RangeError("faults.disturbRest: the answer must be a status from 400 to 599, 'reset' or 'silence'");
    }
    if (!(share >= 0 && share <= 1)) throw new RangeError('faults.disturbRest: the share must be from 0 to 1');
    // Each fault draws from a stream of its own: one more does not change the course of the others.
    const random = createRandom(seed + this.added);
    this.added += 1;
    this.rules.push({ options, random, until: this.clock.now() + forMs, left: count });
  }

  /** The fault of a request, counted; the oldest that fits. */
  take(method: string, target: string): RestFault | undefined {
    if (this.rules.length === 0 || !PREFIX.test(target)) return undefined;
    this.forgetSpent();
    const path = target.replace(PREFIX, '');
    const rule = this.rules.find(
      ({ options, random }) =>
        (options.method === undefined || options.method.toUpperCase() === method) &&
        (options.path === undefined || path.startsWith(options.path)) &&
        (options.share === undefined || random() < options.share),
    );
    if (rule === undefined) return undefined;
    rule.left -= 1;
    const {
      answer,
      retryAfterSeconds = 1,
      scope = 'user',
      carriedOut = false,
      delayMs = 0,
      bodyMs = 0,
      html,
    } = rule.options;
    return { answer, retryAfterSeconds, scope, carriedOut, delayMs, bodyMs, html };
  }

  /** Faults that are not used up. */
  get waiting(): number {
    this.forgetSpent();
    return this.rules.length;
  }

  clear(): void {
    this.rules = [];
  }

  private forgetSpent(): void {
    const now = this.clock.now();
    this.rules = this.rules.filter(({ until, left }) => now < until && left > 0);
  }
}

/** Status, headers and body of a request that a fault fails: as Discord, or the proxy before it, writes them. */
export function failureOf({ answer, retryAfterSeconds, scope, html }: RestFault & { readonly answer: number }): {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
} {
  if (html !== undefined) {
    const retry = answer === 429 ? { 'retry-after': String(Math.ceil(retryAfterSeconds)) } : {};
    return { status: answer, headers: { 'content-type': 'text/html', ...retry }, body: html };
  }
  if (answer !== 429) {
    return {
      status: answer,
      headers: { 'content-type': 'application/json' },
      body: `{"message":"${answer}","code":0}`,
    };
  }
  const isGlobal = scope === 'global';
  return {
    status: 429,
    headers: {
      'content-type': 'application/json',
      'retry-after': String(Math.ceil(retryAfterSeconds)),
      'x-ratelimit-scope': scope,
      ...(isGlobal ? { 'x-ratelimit-global': 'true' } : {}),
    },
    body: JSON.stringify({
      message: 'You are being rate limited.',
      retry_after: retryAfterSeconds,
      global: isGlobal,
    }),
  };
}
