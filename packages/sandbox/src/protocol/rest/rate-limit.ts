/**
 * Owns REST rate limits (Discord docs, Rate Limits): fixed windows per bucket and major parameter, limits inside
 * them, the global one per bot, and the ban for invalid requests. Pure: time comes in. Bounded: windows that are over
 * are dropped.
 */

/** So many requests in so much time. */
export interface LimitRule {
  readonly limit: number;
  readonly windowMs: number;
}

/** A window that has begun. */
export interface LimitWindow {
  readonly used: number;
  readonly resetAt: number;
}

/** 50 requests a second over all routes (Discord docs, Rate Limits: Global Rate Limit). */
export const GLOBAL_RULE: LimitRule = { limit: 50, windowMs: 1000 };

/** 401, 403 and 429 (of scope `shared` not) in ten minutes (Rate Limits: Invalid Request Limit). */
export const INVALID_RULE: LimitRule = { limit: 10_000, windowMs: 600_000 };

/** What a request is counted as. */
export interface LimitedRequest {
  /** The bot, or `anonymous`. */
  readonly who: string;
  /** The bucket's hash. */
  readonly bucket: string;
  /** Guild, channel or webhook id of the path; empty without one. */
  readonly major: string;
  readonly rule: LimitRule;
  readonly now: number;
}

/** What the headers say. */
export interface BucketState {
  readonly bucket: string;
  readonly limit: number;
  readonly remaining: number;
  readonly resetAfterMs: number;
}

/** Whether a request may go on. */
export type LimitVerdict =
  | { readonly allowed: true; readonly state: BucketState }
  | {
      readonly allowed: false;
      readonly scope: 'user' | 'global' | 'shared';
      readonly retryAfterMs: number;
      readonly state: BucketState;
    };

/** Counts one request into a window; a window that is over begins anew with it. */
export function take(
  window: LimitWindow | undefined,
  rule: LimitRule,
  now: number,
): { readonly window: LimitWindow; readonly allowed: boolean } {
  if (window === undefined || now >= window.resetAt) {
    return { window: { used: 1, resetAt: now + rule.windowMs }, allowed: true };
  }
  if (window.used >= rule.limit) return { window, allowed: false };
  return { window: { ...window, used: window.used + 1 }, allowed: true };
}

/** Windows held at once; beyond that those that are over go, then the oldest. */
const MAX_WINDOWS = 10_000;

/** All windows of a sandbox. */
export class RateLimiter {
  private readonly windows = new Map<string, LimitWindow>();
  private invalid: LimitWindow | undefined;

  /** @param scale Factor on every limit. */
  constructor(private readonly scale: number) {}

  check(request: LimitedRequest): LimitVerdict {
    const { who, bucket, major, now } = request;
    const rule = this.scaled(request.rule);
    const key = `${who}|${bucket}|${major}`;
    const global = this.count(`${who}|global`, this.scaled(GLOBAL_RULE), now);
    if (!global.allowed) {
      const state = stateOf(bucket, rule, this.windows.get(key), now);
      return { allowed: false, scope: 'global', retryAfterMs: global.window.resetAt - now, state };
    }
    const own = this.count(key, rule, now);
    const state = stateOf(bucket, rule, own.window, now);
    if (own.allowed) return { allowed: true, state };
    return { allowed: false, scope: 'user', retryAfterMs: own.window.resetAt - now, state };
  }

  /** Counts a request into a limit inside its bucket; how long to wait when that is full. */
  checkInner(key: string, rule: LimitRule, now: number): number | undefined {
    const { allowed, window } = this.count(`inner|${key}`, this.scaled(rule), now);
    return allowed ? undefined : window.resetAt - now;
  }

  /** Counts an answer that Discord calls invalid. */
  countInvalid(status: number, scope: string | undefined, now: number): void {
    if ((status !== 401 && status !== 403 && status !== 429) || scope === 'shared') return;
    this.invalid = take(this.invalid, this.scaled(INVALID_RULE), now).window;
  }

  /** How long nothing is answered any more, because of too many invalid requests; `undefined` when all is well. */
  bannedFor(now: number): number | undefined {
    if (this.invalid === undefined || now >= this.invalid.resetAt) return undefined;
    return this.invalid.used >= this.scaled(INVALID_RULE).limit ? this.invalid.resetAt - now : undefined;
  }

  /** Windows held. */
  get size(): number {
    return this.windows.size;
  }

  private count(key: string, rule: LimitRule, now: number): ReturnType<typeof take> {
    const result = take(this.windows.get(key), rule, now);
    this.windows.set(key, result.window);
    if (this.windows.size > MAX_WINDOWS) this.prune(now);
    return result;
  }

  private prune(now: number): void {
    for (const [key, window] of this.windows) if (now >= window.resetAt) this.windows.delete(key);
    // Down to half, so that a full map is not gone through on every request.
    for (const key of this.windows.keys()) {
      if (this.windows.size <= MAX_WINDOWS / 2) return;
      this.windows.delete(key);
    }
  }

  private scaled(rule: LimitRule): LimitRule {
    return { limit: Math.max(1, Math.round(rule.limit * this.scale)), windowMs: rule.windowMs };
  }
}

/** A bucket's name: 32 hex digits that depend on the route alone (FNV-1a, four rounds). */
export function bucketHash(route: string): string {
  let hash = '';
  for (let round = 0; round < 4; round += 1) {
    let word = 0x811c9dc5 ^ round;
    for (let at = 0; at < route.length; at += 1) word = Math.imul(word ^ route.charCodeAt(at), 0x01000193);
    hash += (word >>> 0).toString(16).padStart(8, '0');
  }
  return hash;
}

/**
 * The headers of an answer.
 *
 * @param wallTime Unix ms now.
 */
export function limitHeaders(verdict: LimitVerdict, wallTime: number): Record<string, string> {
  const { bucket, limit, remaining, resetAfterMs } = verdict.state;
  const headers: Record<string, string> = {
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-reset': ((wallTime + resetAfterMs) / 1000).toFixed(3),
    'x-ratelimit-reset-after': (resetAfterMs / 1000).toFixed(3),
    'x-ratelimit-bucket': bucket,
  };
  if (verdict.allowed) return headers;
  const refused = {
    'retry-after': String(Math.ceil(verdict.retryAfterMs / 1000)),
    'x-ratelimit-scope': verdict.scope,
    via: '1.1 guildkit-sandbox',
  };
  // The global limit has no bucket: its answer names none.
  return verdict.scope === 'global' ? { ...refused, 'x-ratelimit-global': 'true' } : { ...headers, ...refused };
}

/** The body of a 429. */
export function limitBody(verdict: Extract<LimitVerdict, { allowed: false }>): {
  message: string;
  retry_after: number;
  global: boolean;
} {
  return {
    message: 'You are being rate limited.',
    // Rounded up: who waits exactly so long must not come too early.
    retry_after: Math.ceil(verdict.retryAfterMs) / 1000,
    global: verdict.scope === 'global',
  };
}

function stateOf(bucket: string, rule: LimitRule, window: LimitWindow | undefined, now: number): BucketState {
  const open = window !== undefined && now < window.resetAt;
  return {
    bucket,
    limit: rule.limit,
    remaining: open ? Math.max(0, rule.limit - window.used) : rule.limit,
    resetAfterMs: open ? Math.ceil(window.resetAt - now) : rule.windowMs,
  };
}
