/**
 * Owns the use of a `RateLimitStore`: which slots a request takes, in which order requests of this process ask, what is
 * told to others. Refuses to hold anything up when the store fails: this process's own limits still stand.
 */
import { createHash, randomUUID } from 'node:crypto';
import { type Clock, type Logger, messageOf } from '@guildkit/core';
import type { LearnedBucket, RateLimitHold, RateLimitSlot, RateLimitStore } from '../rate-limit-store.js';
import { BOT_IDENTITY, type BucketFacts, type Job, type Verdict } from './limiter.js';

/** Slots that a request holds. */
export interface Lease {
  /** Tells how it ended. Calling it again does nothing. */
  end(verdict: Verdict, bucket: BucketFacts | undefined): void;
}

/** A request that asks for slots. */
export interface Asking {
  readonly job: Job;
  /** What this process knows of its bucket. */
  readonly bucket: BucketFacts | undefined;
  readonly deadlineAt: number;
  /** It was stopped: it must leave the line and take nothing. */
  cancelled: boolean;
  /** Ends the pause it is in. */
  wake: (() => void) | undefined;
}

/** Settings of {@link SharedLimits}. */
export interface SharedLimitsOptions {
  readonly store: RateLimitStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Tells tokens apart in the store's keys; not the token. */
  readonly namespace: string;
  readonly globalRequestsPerSecond: number;
}

/** How a request ended, and what was known of its bucket after and before. */
interface Ending {
  readonly verdict: Verdict;
  readonly bucket: BucketFacts | undefined;
  readonly known: LearnedBucket | undefined;
}

const GLOBAL_WINDOW_MS = 1_000;
/** Room for a clock that runs differently, after the request's own deadline. */
const LEASE_SLACK_MS = 5_000;

/** The limits that this process shares with others. */
export class SharedLimits {
  private readonly options: SharedLimitsOptions;
  private readonly process = randomUUID().slice(0, 8);
  /** The last in line for each bucket: the store must not turn the order of one process around. */
  private readonly lines = new Map<string, Promise<void>>();
  private failing = false;

  constructor(options: SharedLimitsOptions) {
    this.options = options;
  }

  /** Waits until the store gives a slot of every limit; `undefined` when the request was stopped before. */
  async acquire(asking: Asking): Promise<Lease | undefined> {
    const { job, bucket } = asking;
    const line = `${job.identity} ${bucket?.hash ?? job.route.route}${job.variant} ${job.route.major}`;
    const before = this.lines.get(line);
    let done: () => void = () => {};
    const mine = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.lines.set(line, mine);
    try {
      await before;
      return await this.take(asking);
    } finally {
      done();
      if (this.lines.get(line) === mine) this.lines.delete(line);
    }
  }

  private async take(asking: Asking): Promise<Lease | undefined> {
    const { store, clock } = this.options;
    const { job, bucket, deadlineAt } = asking;
    const name = `${this.process}:${job.id}`;
    while (!asking.cancelled) {
      const known = bucket ?? (await this.recall(job));
      const slots = this.slotsOf(job, bucket, known);
      const leaseMs = Math.max(1_000, deadlineAt - clock.now()) + LEASE_SLACK_MS;
      const waitMs = (await this.safely(() => store.take(name, slots, leaseMs))) ?? 0;
      if (waitMs > 0) {
        await this.pause(asking, waitMs);
        continue;
      }
      const lease = this.lease(job, name, slots, known);
      // Whoever probed before has told of it before it gave the probe's slot back: asked before that, it knew nothing.
      if (known !== undefined || (await this.recall(job)) === undefined) return lease;
      await this.safely(() => store.release(name, freed(slots)));
    }
    return undefined;
  }

  private recall(job: Job): Promise<LearnedBucket | undefined> {
    return this.safely(() => this.options.store.recall(this.routeKey(job)));
  }

  private async pause(asking: Asking, ms: number): Promise<void> {
    const { clock } = this.options;
    if (asking.cancelled) return;
    let timer: unknown;
    await new Promise<void>((resolve) => {
      timer = clock.setTimer(resolve, ms);
      asking.wake = resolve;
    });
    asking.wake = undefined;
    clock.clearTimer(timer);
  }

  private slotsOf(job: Job, own: BucketFacts | undefined, known: LearnedBucket | undefined): RateLimitSlot[] {
    const slots = job.sublimits.map((sub) => ({ key: this.subKey(job, sub.name), limit: sub.limit }));
    // Its first here: of all processes one at a time probes, as one that does not know the bucket is not counted in it.
    if (own === undefined) slots.push({ key: this.coldKey(job), limit: 1 });
    if (isLimited(known)) slots.push({ key: this.bucketKey(job, known.hash), limit: known.limit });
    if (isGlobal(job)) slots.push({ key: this.globalKey(), limit: this.options.globalRequestsPerSecond });
    return slots;
  }

  private lease(job: Job, lease: string, slots: readonly RateLimitSlot[], known: LearnedBucket | undefined): Lease {
    let ended = false;
    return {
      end: (verdict, bucket) => {
        if (ended) return;
        ended = true;
        void this.safely(() => this.release(job, lease, slots, { verdict, bucket, known }));
      },
    };
  }

  private async release(
    job: Job,
    lease: string,
    slots: readonly RateLimitSlot[],
    { verdict, bucket, known }: Ending,
  ): Promise<void> {
    const { store } = this.options;
    // Another process may have seen the window from its beginning, and this one only the rest of it.
    const isNews = isLimited(bucket) && !(bucket.whole && isSame(bucket, known));
    const now = isNews ? await store.learn(this.routeKey(job), learnedOf(bucket)) : (bucket ?? known);
    if (verdict.block !== undefined) await store.block(this.blockedKey(job, verdict, now), verdict.block.ms);
    const holds = new Map<string, number>(freed(slots).map(({ key, holdMs }) => [key, holdMs]));
    for (const { name, windowMs } of job.sublimits) holds.set(this.subKey(job, name), verdict.done ? windowMs : 0);
    if (isLimited(now)) {
      holds.set(this.bucketKey(job, now.hash), verdict.spent ? now.windowMs : 0);
    }
    if (isGlobal(job)) holds.set(this.globalKey(), verdict.spent ? GLOBAL_WINDOW_MS : 0);
    await store.release(
      lease,
      [...holds].map(([key, holdMs]): RateLimitHold => ({ key, holdMs })),
    );
  }

  /** `undefined` when the store fails. One log line when it begins to fail, one when it works again. */
  private async safely<T>(call: () => Promise<T>): Promise<T | undefined> {
    const { logger } = this.options;
    try {
      const result = await call();
      if (this.failing) logger.info({}, 'rate limit store works again');
      this.failing = false;
      return result;
    } catch (error) {
      if (!this.failing) logger.warn({ error: messageOf(error) }, 'rate limit store fails: own limits only');
      this.failing = true;
      return undefined;
    }
  }

  private blockedKey(job: Job, { block }: Verdict, bucket: LearnedBucket | undefined): string {
    const everywhere = block?.scope === 'global' || block?.scope === 'cloudflare';
    if (everywhere && isGlobal(job)) return this.globalKey();
    return isLimited(bucket) ? this.bucketKey(job, bucket.hash) : this.coldKey(job);
  }

  private globalKey(): string {
    return `${this.options.namespace}:global`;
  }

  private routeKey(job: Job): string {
    return `${this.options.namespace}:route:${job.route.route}${job.variant}`;
  }

  private bucketKey(job: Job, hash: string): string {
    return `${this.options.namespace}:bucket:${hash}${job.variant}:${scopeOf(job)}`;
  }

  private coldKey(job: Job): string {
    return `${this.options.namespace}:cold:${job.route.route}${job.variant}:${scopeOf(job)}`;
  }

  private subKey(job: Job, name: string): string {
    return `${this.options.namespace}:sub:${name}:${scopeOf(job)}`;
  }
}

function isGlobal({ identity, route }: Job): boolean {
  return identity === BOT_IDENTITY && !route.exempt;
}

/** Slots given back unused. */
function freed(slots: readonly RateLimitSlot[]): RateLimitHold[] {
  return slots.map(({ key }) => ({ key, holdMs: 0 }));
}

function isLimited<Bucket extends LearnedBucket>(bucket: Bucket | undefined): bucket is Bucket {
  return bucket !== undefined && Number.isFinite(bucket.limit);
}

function learnedOf({ hash, limit, windowMs }: BucketFacts): LearnedBucket {
  return { hash, limit, windowMs };
}

function isSame(a: LearnedBucket, b: LearnedBucket | undefined): boolean {
  return b !== undefined && a.hash === b.hash && a.limit === b.limit && a.windowMs === b.windowMs;
}

/** Identity and major parameter, hashed: both may hold a secret, and keys are seen by whoever looks into the store. */
function scopeOf({ identity, route }: Job): string {
  return createHash('sha256').update(`${identity} ${route.major}`).digest('base64url').slice(0, 22);
}
