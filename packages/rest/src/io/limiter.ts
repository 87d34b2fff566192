/**
 * Owns how the limits combine: every request passes its sublimits, its bucket and the global window, in this order,
 * and its answer teaches them. Refuses HTTP.
 */
import type { Clock } from '@guildkit/core';
import type { RateLimitScope } from '../protocol/rate-limit-headers.js';
import type { Sublimit } from '../protocol/sublimits.js';
import {
  initialWindow,
  type Observation,
  type WindowEffect,
  type WindowInput,
  waiting,
  windowDeadline,
} from '../protocol/window.js';
import { Buckets, type Limited, type Scope } from './buckets.js';
import { Stage, type StageHost, type StageKind } from './stage.js';

/** A limit that a request must pass. Which one it is, is only looked up when its turn comes: buckets are learned. */
type Step = Sublimit | 'hidden' | 'bucket' | 'global';

/** A request on its way through the limits. The limiter owns all that is not `readonly`. */
export interface Job extends Limited {
  /** Order of the call: smaller goes first. */
  readonly id: number;
  readonly sublimits: readonly Sublimit[];
  /** It may be sent now. */
  started: boolean;
  /** Called when it may. */
  onStart: (() => void) | undefined;
  /** What it must pass, in order. */
  plan: readonly Step[];
  /** What it waits in or has passed, by place in the plan. */
  stages: (Stage | undefined)[];
  /** Where in the plan it waits; `plan.length` once started; -1 outside. */
  at: number;
  /** It probes a cold bucket. */
  probing: boolean;
  /** Limits of its identity and major parameter. */
  scope: Scope | undefined;
}

/** How a started request ended. */
export interface Verdict {
  /** Whether it may have reached Discord. */
  readonly spent: boolean;
  /** Whether it did, or may have done, what sublimits count. */
  readonly done: boolean;
  readonly hash?: string | undefined;
  readonly observed?: Observation | 'none' | undefined;
  /** A 429. */
  readonly block?: { readonly scope: RateLimitScope; readonly ms: number } | undefined;
}

/** What is known of a bucket. */
export interface BucketFacts {
  /** Empty for a route that names no bucket. */
  readonly hash: string;
  /** `Infinity` for a route that names no limit. */
  readonly limit: number;
  readonly windowMs: number;
  /** Whether the window is known to be that long; it may be longer otherwise. */
  readonly whole: boolean;
}

/** What the limiter reports. */
export interface LimiterEvents {
  wait(event: { scope: StageKind; bucket: string; untilMs: number; queued: number }): void;
  bucket(event: { route: string; bucket: string; limit: number }): void;
  fault(error: unknown): void;
}

/** Settings of {@link Limiter}. */
export interface LimiterOptions {
  readonly clock: Clock;
  readonly globalRequestsPerSecond: number;
  /** A bucket untouched for so long is forgotten, in ms. */
  readonly idleMs: number;
  readonly events: LimiterEvents;
}

const FREE_PLAN: readonly Step[] = ['hidden', 'bucket'];
const BOT_PLAN: readonly Step[] = ['hidden', 'bucket', 'global'];
/** The identity whose requests the global window counts. */
export const BOT_IDENTITY = 'bot';
const GLOBAL_WINDOW_MS = 1_000;
const GLOBAL = { kind: 'global', key: 'global', name: 'global', majorId: '', hash: undefined } as const;
/** A slot given back unused. */
const UNSPENT = { type: 'settle', spent: false } as const satisfies WindowInput;

/** Every limit of one client. */
export class Limiter {
  private readonly options: LimiterOptions;
  private readonly limits: Buckets;
  private readonly global: Stage;
  /** Those that wait, or have waited, by number. */
  private readonly jobs = new Map<number, Job>();
  /** The request that enters a limit at this moment. */
  private entering: Job | undefined;

  constructor(options: LimiterOptions) {
    const { clock, events, globalRequestsPerSecond: limit, idleMs } = options;
    const run = (stage: Stage, effect: WindowEffect, now: number): void => this.run(stage, effect, now);
    const host: StageHost = { clock, run, fault: events.fault };
    this.options = options;
    this.limits = new Buckets(host, idleMs);
    this.global = new Stage(host, GLOBAL, clock.now(), initialWindow({ limit, windowMs: GLOBAL_WINDOW_MS }));
  }

  /** Buckets and sublimits in memory. */
  get buckets(): number {
    return this.limits.size;
  }

  /** Puts a request in line. */
  enter(job: Job, now: number): void {
    this.limits.sweep(now);
    const plan = job.identity !== BOT_IDENTITY || job.route.exempt ? FREE_PLAN : BOT_PLAN;
    job.plan = job.sublimits.length === 0 ? plan : [...job.sublimits, ...plan];
    job.stages = [undefined, undefined, undefined];
    job.at = -1;
    job.started = false;
    job.onStart = undefined;
    job.scope = this.limits.scopeOf(job);
    this.advance(job, now);
  }

  /** Takes a request out: out of its line, or, when it was started but not sent, out of what is in flight. */
  leave(job: Job): void {
    if (job.at < 0) return;
    const now = this.options.clock.now();
    const { at, stages } = job;
    this.forget(job);
    stages[at]?.dispatch({ type: 'leave', id: job.id, now });
    for (const stage of stages.slice(0, at)) stage?.dispatch({ ...UNSPENT, now });
    this.endProbe(job, now);
  }

  /**
   * When a request that waits may start at the earliest, on the clock's scale; `undefined` when that is open: it was
   * started, or it waits for another request.
   */
  notBefore(job: Job): number | undefined {
    const state = job.stages[job.at]?.state;
    if (state === undefined) return undefined;
    // One in flight may give its slot back unused.
    const certain = state.inFlight === 0 || state.blockedUntil > this.options.clock.now();
    return certain ? windowDeadline(state) : undefined;
  }

  /** What is known of the bucket of a request that was started. */
  bucketOf(job: Job): BucketFacts | undefined {
    const stage = job.stages.find((passed) => passed?.kind === 'bucket');
    return stage === undefined ? undefined : factsOf(stage);
  }

  /**
   * Tells how a started request ended.
   *
   * @returns What is known of its bucket now; `undefined` when nothing is, or when it was told before.
   */
  settle(job: Job, verdict: Verdict, now: number): BucketFacts | undefined {
    if (job.at < 0 || job.at < job.plan.length) return undefined;
    let bucket: Stage | undefined;
    this.forget(job);
    const blocked = verdict.block === undefined ? undefined : this.blockedStage(job, verdict, now);
    for (const stage of job.stages) {
      if (stage === undefined) continue;
      const blockMs = stage === blocked ? verdict.block?.ms : undefined;
      if (stage.kind === 'bucket') bucket = this.settleBucket(job, stage, verdict, blockMs, now);
      else {
        const spent = stage.kind === 'global' ? verdict.spent : verdict.done;
        stage.dispatch({ type: 'settle', spent, observed: undefined, blockMs, now });
      }
    }
    // After the buckets: the slot kept for the probe is free once the probe itself is counted.
    this.endProbe(job, now);
    return bucket === undefined ? undefined : factsOf(bucket);
  }

  /** Stops every timer. Requests that wait are the caller's to reject. */
  stop(): void {
    this.limits.stop();
    this.global.stop();
  }

  /** On to the next limit, or out. */
  private advance(job: Job, now: number): void {
    for (job.at += 1; job.at < job.plan.length; job.at += 1) {
      const stage = this.stageOf(job, job.plan[job.at], now);
      job.stages[job.at] = stage;
      if (stage === undefined) continue;
      this.enqueue(job, stage, now);
      return;
    }
    this.launch(job, now);
  }

  private enqueue(job: Job, stage: Stage, now: number): void {
    const { at } = job;
    const outer = this.entering;
    this.entering = job;
    stage.dispatch({ type: 'enqueue', id: job.id, now });
    this.entering = outer;
    // Most go on at once and are never looked up.
    if (job.at === at) this.jobs.set(job.id, job);
  }

  private stageOf(job: Job, step: Step | undefined, now: number): Stage | undefined {
    if (step === undefined) return undefined;
    if (step === 'global') return this.global;
    const scope = this.scopeOf(job);
    if (step === 'bucket') return this.limits.bucketFor(scope, job, now);
    // A limit that no header names, met before as a 429: see `blockedStage`.
    if (step === 'hidden') return this.limits.hidden(scope, job, now);
    return this.limits.sublimit(scope, job, step, now);
  }

  /** Looked up once per entry: a limit that a request is in is never swept. */
  private scopeOf(job: Job): Scope {
    return job.scope ?? this.limits.scopeOf(job);
  }

  private endProbe(job: Job, now: number): void {
    if (!job.probing) return;
    job.probing = false;
    this.limits.changeProbes(this.scopeOf(job), -1, now);
  }

  private run(stage: Stage, effect: WindowEffect, now: number): void {
    if (effect.type === 'wait') {
      const untilMs = Math.max(0, effect.until - now);
      this.options.events.wait({ scope: stage.kind, bucket: stage.label, untilMs, queued: effect.size });
      return;
    }
    const job = this.entering?.id === effect.id ? this.entering : this.jobs.get(effect.id);
    if (job === undefined || job.stages[job.at] !== stage) {
      // It left between the step and this effect.
      stage.dispatch({ ...UNSPENT, now });
      return;
    }
    if (stage.kind === 'bucket' && stage.state.limit === undefined) {
      job.probing = true;
      this.limits.changeProbes(this.scopeOf(job), 1, now);
    }
    this.advance(job, now);
  }

  /** All limits passed; one may have been blocked by a 429 while the request waited in a later one. */
  private launch(job: Job, now: number): void {
    const back = blockedIndex(job, now);
    if (back === -1) {
      job.started = true;
      job.onStart?.();
      return;
    }
    const given = job.stages.splice(back + 1);
    job.at = back;
    this.endProbe(job, now);
    for (const stage of given) stage?.dispatch({ ...UNSPENT, now });
    this.jobs.set(job.id, job);
    job.stages[back]?.dispatch({ type: 'requeue', id: job.id, now });
  }

  private settleBucket(job: Job, stage: Stage, verdict: Verdict, blockMs: number | undefined, now: number): Stage {
    const { spent, observed, hash } = verdict;
    if (hash === undefined || stage.hash === hash) {
      stage.dispatch({ type: 'settle', spent, observed, blockMs, now });
      return stage;
    }
    // The route counts in another bucket than thought: what was sent and what waits moves there.
    const scope = this.scopeOf(job);
    this.limits.learn(job, hash);
    const target = this.limits.bucket(scope, job, hash, now);
    target.dispatch({ type: 'adopt', spent, observed, blockMs, now });
    const { limit } = target.state;
    if (limit !== undefined) this.options.events.bucket({ route: job.route.route, bucket: hash, limit });
    const moved = waiting(stage.state)
      .map((id) => this.jobs.get(id))
      .filter((other): other is Job => other !== undefined && isSameRoute(other, job));
    stage.dispatch({ type: 'expel', ids: new Set(moved.map((other) => other.id)), now });
    stage.dispatch({ ...UNSPENT, now });
    for (const other of moved) {
      other.stages[other.at] = target;
      this.enqueue(other, target, now);
    }
    this.limits.dropCold(scope, stage, now);
    return target;
  }

  /** The limit that a 429 was about. */
  private blockedStage(job: Job, { block, observed }: Verdict, now: number): Stage | undefined {
    const { stages } = job;
    const bucket = stages.find((stage) => stage?.kind === 'bucket');
    if (block === undefined) return undefined;
    if (block.scope === 'global' || block.scope === 'cloudflare') {
      return stages.find((stage) => stage?.kind === 'global') ?? bucket;
    }
    // The bucket itself has room: the 429 is about a limit inside it, which must not hold up its other routes.
    const roomy = observed !== undefined && observed !== 'none' && observed.remaining > 0;
    if (!roomy || block.ms <= observed.resetAfterMs) return bucket;
    const sub = stages.find((stage) => stage?.kind === 'sublimit') ?? this.limits.hide(this.scopeOf(job), job, now);
    if (!stages.includes(sub)) sub.dispatch({ type: 'adopt', spent: false, blockMs: block.ms, now });
    return sub;
  }

  private forget(job: Job): void {
    job.at = -1;
    this.jobs.delete(job.id);
  }
}

function blockedIndex({ stages }: Job, now: number): number {
  for (let at = 0; at < stages.length; at += 1) {
    const stage = stages[at];
    if (stage !== undefined && stage.state.blockedUntil > now) return at;
  }
  return -1;
}

function factsOf({ hash, state }: Stage): BucketFacts | undefined {
  const { limit, windowMs, whole } = state;
  if (limit === undefined || (hash === undefined && limit !== Number.POSITIVE_INFINITY)) return undefined;
  return { hash: hash ?? '', limit, windowMs, whole };
}

function isSameRoute(a: Job, b: Job): boolean {
  return a.route.route === b.route.route && a.variant === b.variant;
}
