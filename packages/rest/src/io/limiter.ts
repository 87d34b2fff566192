/**
 * Owns how the limits combine: every request passes its sublimits, its bucket and the global window, in this order,
 * and its answer teaches them. Runs one `protocol/window` per limit. Refuses HTTP.
 */
import { type Clock, createDriver, type Driver } from '@guildkit/core';
import type { RateLimitScope } from '../protocol/rate-limit-headers.js';
import type { RouteInfo } from '../protocol/route.js';
import type { Sublimit } from '../protocol/sublimits.js';
import {
  initialWindow,
  isIdle,
  type Observation,
  stepWindow,
  type WindowEffect,
  type WindowInput,
  type WindowState,
  waiting,
  windowDeadline,
} from '../protocol/window.js';

/** A limit that a request must pass. Which one it is, is only looked up when its turn comes: buckets are learned. */
type Step = Sublimit | 'hidden' | 'bucket' | 'global';

/** A request on its way through the limits. The limiter owns all that is not `readonly`. */
export interface Job {
  /** Order of the call: smaller goes first. */
  readonly id: number;
  readonly route: RouteInfo;
  /** What splits the route's bucket beside its major parameter. */
  readonly variant: string;
  /** Whose limits: requests of another token count apart. */
  readonly identity: string;
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
  readonly hash: string;
  readonly limit: number;
  readonly windowMs: number;
}

/** What the limiter reports. */
export interface LimiterEvents {
  wait(event: { scope: 'bucket' | 'sublimit' | 'global'; bucket: string; untilMs: number; queued: number }): void;
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

/** One limit and who uses it. */
interface Stage {
  readonly kind: 'bucket' | 'sublimit' | 'global';
  readonly key: string;
  /** What may be printed. */
  readonly label: string;
  /** Discord's bucket hash, once known. */
  readonly hash: string | undefined;
  readonly driver: Driver<WindowState, WindowInput>;
  usedAt: number;
}

/** The limits of one token and major parameter. A cold route may turn out to share any hot bucket among them. */
interface Scope {
  /** Cold buckets by their route, hot ones by their hash, others by their name: no two of them look alike. */
  readonly stages: Map<string, Stage>;
  /** Probes that are out. */
  probes: number;
}

const FREE_PLAN: readonly Step[] = ['hidden', 'bucket'];
const BOT_PLAN: readonly Step[] = ['hidden', 'bucket', 'global'];
/** The identity whose requests the global window counts. */
export const BOT_IDENTITY = 'bot';
const GLOBAL_WINDOW_MS = 1_000;
const WINDOW = { step: stepWindow, deadline: windowDeadline };
/** A slot given back unused. */
const UNSPENT = { type: 'settle', spent: false } as const satisfies WindowInput;

/** Every limit of one client. */
export class Limiter {
  /** Those that wait, or have waited, by number. */
  private readonly jobs = new Map<number, Job>();
  private readonly scopes = new Map<string, Scope>();
  /** Bucket hash by {@link routeKey}. */
  private readonly hashes = new Map<string, string>();
  private readonly options: LimiterOptions;
  private readonly global: Stage;
  private sweptAt: number;
  /** The request that enters a limit at this moment. */
  private entering: Job | undefined;
  private size = 0;
  /** Hidden limits met; 0 spares looking for one. */
  private hidden = 0;

  constructor(options: LimiterOptions) {
    this.options = options;
    this.sweptAt = options.clock.now();
    const known = { limit: options.globalRequestsPerSecond, windowMs: GLOBAL_WINDOW_MS };
    this.global = this.createStage('global', 'global', 'global', undefined, known);
  }

  /** Buckets and sublimits in memory. */
  get buckets(): number {
    return this.size;
  }

  /** Puts a request in line. */
  enter(job: Job): void {
    this.sweep();
    const free = job.identity !== BOT_IDENTITY || job.route.exempt;
    const plan = free ? FREE_PLAN : BOT_PLAN;
    job.plan = job.sublimits.length === 0 ? plan : [...job.sublimits, ...plan];
    job.stages = [];
    job.at = -1;
    job.started = false;
    job.onStart = undefined;
    job.scope = this.findScope(job);
    this.advance(job);
  }

  /** Takes a request out: out of its line, or, when it was started but not sent, out of what is in flight. */
  leave(job: Job): void {
    if (job.at < 0) return;
    const { at, stages } = job;
    this.forget(job);
    stages[at]?.driver.dispatch({ type: 'leave', id: job.id });
    for (const stage of stages.slice(0, at)) stage?.driver.dispatch(UNSPENT);
    this.endProbe(job);
  }

  /**
   * When a request that waits may start at the earliest, on the clock's scale; `undefined` when that is open: it was
   * started, or it waits for another request.
   */
  notBefore(job: Job): number | undefined {
    const state = job.stages[job.at]?.driver.state;
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
  settle(job: Job, verdict: Verdict): BucketFacts | undefined {
    if (job.at < 0 || job.at < job.plan.length) return undefined;
    let bucket: BucketFacts | undefined;
    this.forget(job);
    const blocked = verdict.block === undefined ? undefined : this.blockedStage(job, verdict);
    for (const stage of job.stages) {
      if (stage === undefined) continue;
      const blockMs = stage === blocked ? verdict.block?.ms : undefined;
      if (stage.kind === 'bucket') bucket = factsOf(this.settleBucket(job, stage, verdict, blockMs));
      else {
        const spent = stage.kind === 'global' ? verdict.spent : verdict.done;
        stage.driver.dispatch({ type: 'settle', spent, blockMs });
      }
    }
    // After the buckets: the slot kept for the probe is free once the probe itself is counted.
    this.endProbe(job);
    return bucket;
  }

  /** Stops every timer. Requests that wait are the caller's to reject. */
  stop(): void {
    for (const { stages } of this.scopes.values()) for (const stage of stages.values()) stage.driver.stop();
    this.global.driver.stop();
  }

  /** On to the next limit, or out. */
  private advance(job: Job): void {
    for (job.at += 1; job.at < job.plan.length; job.at += 1) {
      const stage = this.stageOf(job, job.plan[job.at]);
      job.stages[job.at] = stage;
      if (stage === undefined) continue;
      this.enqueue(job, stage);
      return;
    }
    this.launch(job);
  }

  private enqueue(job: Job, stage: Stage): void {
    const { at } = job;
    const outer = this.entering;
    this.entering = job;
    stage.driver.dispatch({ type: 'enqueue', id: job.id });
    this.entering = outer;
    // Most go on at once and are never looked up.
    if (job.at === at) this.jobs.set(job.id, job);
  }

  private stageOf(job: Job, step: Step | undefined): Stage | undefined {
    if (step === 'bucket') return this.bucketFor(job);
    if (step === 'global') return this.global;
    // A limit that no header names, met before as a 429: see `blockedStage`.
    if (step === 'hidden') return this.hidden === 0 ? undefined : this.scopeOf(job).stages.get(hiddenKey(job));
    if (step === undefined) return undefined;
    return this.stage(job, 'sublimit', `sub ${step.name}`, labelOf(step.name, job.route), undefined, step);
  }

  private bucketFor(job: Job): Stage {
    const { route } = job;
    const key = routeKey(job);
    // While a cold bucket exists its probe is out and others may wait for it: going past them would break the order.
    const cold = this.scopeOf(job).stages.get(key);
    if (cold !== undefined) return this.used(cold);
    const hash = this.hashes.get(key);
    if (hash === undefined) return this.stage(job, 'bucket', key, labelOf(route.route, route), undefined);
    return this.bucket(job, hash);
  }

  private bucket(job: Job, hash: string): Stage {
    const key = job.variant === '' ? hash : `${hash} ${job.variant}`;
    const { stages, probes } = this.scopeOf(job);
    const known = stages.get(key);
    if (known !== undefined) return this.used(known);
    const stage = this.stage(job, 'bucket', key, labelOf(hash, job.route), hash);
    if (probes > 0) stage.driver.dispatch({ type: 'guests', count: probes });
    return stage;
  }

  /** Looked up once per entry: a limit that a request is in is never swept. */
  private scopeOf(job: Job): Scope {
    return job.scope ?? this.findScope(job);
  }

  private findScope({ identity, route }: Job): Scope {
    const key = `${identity} ${route.major}`;
    let scope = this.scopes.get(key);
    if (scope === undefined) {
      scope = { stages: new Map(), probes: 0 };
      this.scopes.set(key, scope);
    }
    return scope;
  }

  private beginProbe(job: Job): void {
    job.probing = true;
    this.changeProbes(job, 1);
  }

  private endProbe(job: Job): void {
    if (!job.probing) return;
    job.probing = false;
    this.changeProbes(job, -1);
  }

  private changeProbes(job: Job, by: number): void {
    const scope = this.scopeOf(job);
    scope.probes += by;
    for (const stage of scope.stages.values()) {
      if (stage.hash !== undefined) stage.driver.dispatch({ type: 'guests', count: scope.probes });
    }
  }

  private used(stage: Stage): Stage {
    stage.usedAt = this.options.clock.now();
    return stage;
  }

  private stage(
    job: Job,
    kind: Stage['kind'],
    key: string,
    label: string,
    hash: string | undefined,
    known?: { limit: number; windowMs: number },
  ): Stage {
    const { stages } = this.scopeOf(job);
    let stage = stages.get(key);
    if (stage === undefined) {
      stage = this.createStage(kind, key, label, hash, known);
      stages.set(key, stage);
      this.size += 1;
    }
    return this.used(stage);
  }

  private createStage(
    kind: Stage['kind'],
    key: string,
    label: string,
    hash: string | undefined,
    known: { limit: number; windowMs: number } | undefined,
  ): Stage {
    const { clock, events } = this.options;
    const driver = createDriver<WindowState, WindowInput, WindowEffect>({
      reducer: WINDOW,
      initial: initialWindow(known),
      clock,
      run: (effect) => this.run(stage, effect),
      onEffectError: events.fault,
    });
    const stage: Stage = { kind, key, label, hash, driver, usedAt: clock.now() };
    return stage;
  }

  private run(stage: Stage, effect: WindowEffect): void {
    if (effect.type === 'wait') {
      const untilMs = Math.max(0, effect.until - this.options.clock.now());
      this.options.events.wait({ scope: stage.kind, bucket: stage.label, untilMs, queued: effect.size });
      return;
    }
    const job = this.entering?.id === effect.id ? this.entering : this.jobs.get(effect.id);
    if (job === undefined || job.stages[job.at] !== stage) {
      // It left between the step and this effect.
      stage.driver.dispatch(UNSPENT);
      return;
    }
    if (stage.kind === 'bucket' && stage.driver.state.limit === undefined) this.beginProbe(job);
    this.advance(job);
  }

  /** All limits passed; one may have been blocked by a 429 while the request waited in a later one. */
  private launch(job: Job): void {
    const now = this.options.clock.now();
    const back = job.stages.findIndex((stage) => stage !== undefined && stage.driver.state.blockedUntil > now);
    if (back === -1) {
      job.started = true;
      job.onStart?.();
      return;
    }
    const given = job.stages.splice(back + 1);
    job.at = back;
    this.endProbe(job);
    for (const stage of given) stage?.driver.dispatch(UNSPENT);
    this.jobs.set(job.id, job);
    job.stages[back]?.driver.dispatch({ type: 'requeue', id: job.id });
  }

  private settleBucket(job: Job, stage: Stage, verdict: Verdict, blockMs: number | undefined): Stage {
    const { spent, observed, hash } = verdict;
    if (hash === undefined || stage.hash === hash) {
      stage.driver.dispatch({ type: 'settle', spent, observed, blockMs });
      return stage;
    }
    // The route counts in another bucket than thought: what was sent and what waits moves there.
    this.hashes.set(routeKey(job), hash);
    const target = this.bucket(job, hash);
    target.driver.dispatch({ type: 'adopt', spent, observed, blockMs });
    const limit = target.driver.state.limit;
    if (limit !== undefined) this.options.events.bucket({ route: job.route.route, bucket: hash, limit });
    const moved = waiting(stage.driver.state)
      .map((id) => this.jobs.get(id))
      .filter((other): other is Job => other !== undefined && isSameRoute(other, job));
    stage.driver.dispatch({ type: 'expel', ids: new Set(moved.map((other) => other.id)) });
    stage.driver.dispatch(UNSPENT);
    for (const other of moved) {
      other.stages[other.at] = target;
      this.enqueue(other, target);
    }
    if (stage.hash === undefined && isIdle(stage.driver.state, this.options.clock.now())) {
      this.drop(this.scopeOf(job), stage);
    }
    return target;
  }

  /** The limit that a 429 was about. */
  private blockedStage(job: Job, { block, observed }: Verdict): Stage | undefined {
    const { stages } = job;
    const bucket = stages.find((stage) => stage?.kind === 'bucket');
    if (block === undefined) return undefined;
    if (block.scope === 'global' || block.scope === 'cloudflare') {
      return stages.find((stage) => stage?.kind === 'global') ?? bucket;
    }
    // The bucket itself has room: the 429 is about a limit inside it, which must not hold up its other routes.
    const roomy = observed !== undefined && observed !== 'none' && observed.remaining > 0;
    if (!roomy || block.ms <= observed.resetAfterMs) return bucket;
    const known = { limit: Number.POSITIVE_INFINITY, windowMs: 0 };
    let sub = stages.find((stage) => stage?.kind === 'sublimit');
    if (sub === undefined) {
      sub = this.stage(job, 'sublimit', hiddenKey(job), labelOf(job.route.route, job.route), undefined, known);
      this.hidden += 1;
    }
    if (!stages.includes(sub)) sub.driver.dispatch({ type: 'adopt', spent: false, blockMs: block.ms });
    return sub;
  }

  private forget(job: Job): void {
    job.at = -1;
    this.jobs.delete(job.id);
  }

  private drop({ stages }: Scope, stage: Stage): void {
    stage.driver.stop();
    stages.delete(stage.key);
    this.size -= 1;
  }

  private sweep(): void {
    const now = this.options.clock.now();
    const { idleMs } = this.options;
    if (now - this.sweptAt < idleMs / 2) return;
    this.sweptAt = now;
    for (const [key, scope] of this.scopes) {
      for (const stage of scope.stages.values()) {
        if (now - stage.usedAt >= idleMs && isIdle(stage.driver.state, now)) this.drop(scope, stage);
      }
      if (scope.stages.size === 0 && scope.probes === 0) this.scopes.delete(key);
    }
  }
}

function factsOf({ hash, driver }: Stage): BucketFacts | undefined {
  const { limit, windowMs } = driver.state;
  return hash === undefined || limit === undefined ? undefined : { hash, limit, windowMs };
}

function isSameRoute(a: Job, b: Job): boolean {
  return a.route.route === b.route.route && a.variant === b.variant;
}

/** Method, route template and variant. */
function routeKey({ route, variant }: Job): string {
  return variant === '' ? route.route : `${route.route} ${variant}`;
}

function hiddenKey(job: Job): string {
  return `hidden ${routeKey(job)}`;
}

function labelOf(name: string, { majorId }: RouteInfo): string {
  return majorId === '' ? name : `${name}:${majorId}`;
}
