/**
 * Owns which limits there are: found by identity, major parameter and route, learned from answers, forgotten when they
 * are idle. Refuses to know who passes them: that is the limiter's.
 */
import type { RouteInfo } from '../protocol/route.js';
import type { Sublimit } from '../protocol/sublimits.js';
import { initialWindow, isIdle } from '../protocol/window.js';
import { Stage, type StageHost, type StageIdentity } from './stage.js';

/** What a request is, to the limits. */
export interface Limited {
  readonly route: RouteInfo;
  /** What splits the route's bucket beside its major parameter. */
  readonly variant: string;
  /** Whose limits: requests of another token count apart. */
  readonly identity: string;
}

/** The limits of one token and major parameter. A cold route may turn out to share any hot bucket among them. */
export interface Scope {
  /** Cold buckets by their route, hot ones by their hash, others by their name: no two of them look alike. */
  readonly stages: Map<string, Stage>;
  /** Probes that are out. */
  probes: number;
}

/** A limit that no header names and that only a 429 tells of: it blocks, and counts nothing. */
const HIDDEN = initialWindow({ limit: Number.POSITIVE_INFINITY, windowMs: 0 });

/** Every bucket and sublimit of one client. */
export class Buckets {
  private readonly host: StageHost;
  private readonly idleMs: number;
  /** By identity, then by major parameter. */
  private readonly scopes = new Map<string, Map<string, Scope>>();
  /** Bucket hash by {@link routeKey}. */
  private readonly hashes = new Map<string, string>();
  private sweptAt: number;
  private count = 0;
  /** Hidden limits met; 0 spares looking for one. */
  private hiddenMet = 0;

  constructor(host: StageHost, idleMs: number) {
    this.host = host;
    this.idleMs = idleMs;
    this.sweptAt = host.clock.now();
  }

  /** How many are in memory. */
  get size(): number {
    return this.count;
  }

  /** The scope of a request; made when there is none. */
  scopeOf({ identity, route }: Limited): Scope {
    let ofIdentity = this.scopes.get(identity);
    if (ofIdentity === undefined) {
      ofIdentity = new Map();
      this.scopes.set(identity, ofIdentity);
    }
    let scope = ofIdentity.get(route.major);
    if (scope === undefined) {
      scope = { stages: new Map(), probes: 0 };
      ofIdentity.set(route.major, scope);
    }
    return scope;
  }

  /** The bucket that a request is thought to count in. */
  bucketFor(scope: Scope, job: Limited, now: number): Stage {
    const key = routeKey(job);
    // While a cold bucket exists its probe is out and others may wait for it: going past them would break the order.
    const cold = scope.stages.get(key);
    if (cold !== undefined) return used(cold, now);
    const hash = this.hashes.get(key);
    if (hash !== undefined) return this.bucket(scope, job, hash, now);
    const { route } = job;
    return this.add(scope, { kind: 'bucket', key, name: route.route, majorId: route.majorId, hash }, now);
  }

  /** A bucket by what Discord calls it. */
  bucket(scope: Scope, { route, variant }: Limited, hash: string, now: number): Stage {
    const key = variant === '' ? hash : `${hash} ${variant}`;
    const known = scope.stages.get(key);
    if (known !== undefined) return used(known, now);
    const stage = this.add(scope, { kind: 'bucket', key, name: hash, majorId: route.majorId, hash }, now);
    if (scope.probes > 0) stage.dispatch({ type: 'guests', count: scope.probes, now });
    return stage;
  }

  /** Keeps in mind which bucket a route counts in. */
  learn(job: Limited, hash: string): void {
    this.hashes.set(routeKey(job), hash);
  }

  /** A documented limit inside a bucket. */
  sublimit(scope: Scope, { route }: Limited, sub: Sublimit, now: number): Stage {
    const key = `sub ${sub.name}`;
    const known = scope.stages.get(key);
    if (known !== undefined) return used(known, now);
    const { majorId } = route;
    const identity = { kind: 'sublimit', key, name: sub.name, majorId, hash: undefined } as const;
    return this.add(scope, identity, now, initialWindow(sub));
  }

  /** A limit that no header names, if a 429 has told of one. */
  hidden(scope: Scope, job: Limited, now: number): Stage | undefined {
    if (this.hiddenMet === 0) return undefined;
    const stage = scope.stages.get(hiddenKey(job));
    return stage === undefined ? undefined : used(stage, now);
  }

  /** The same, after a 429 that told of one. */
  hide(scope: Scope, job: Limited, now: number): Stage {
    const known = this.hidden(scope, job, now);
    if (known !== undefined) return known;
    this.hiddenMet += 1;
    const { route, majorId } = job.route;
    const identity = { kind: 'sublimit', key: hiddenKey(job), name: route, majorId, hash: undefined } as const;
    return this.add(scope, identity, now, HIDDEN);
  }

  /** A cold bucket that nobody needs any more is forgotten at once. */
  dropCold({ stages }: Scope, stage: Stage, now: number): void {
    if (stage.hash === undefined && isIdle(stage.state, now)) this.drop(stages, stage);
  }

  /** Tells every hot bucket of the scope how many probes are out. */
  changeProbes(scope: Scope, by: number, now: number): void {
    scope.probes += by;
    for (const stage of scope.stages.values()) {
      if (stage.hash !== undefined) stage.dispatch({ type: 'guests', count: scope.probes, now });
    }
  }

  /** Forgets what has been idle for long, now and then. */
  sweep(now: number): void {
    if (now - this.sweptAt < this.idleMs / 2) return;
    this.sweptAt = now;
    for (const [identity, scopes] of this.scopes) {
      for (const [major, { stages, probes }] of scopes) {
        for (const stage of stages.values()) {
          if (now - stage.usedAt >= this.idleMs && isIdle(stage.state, now)) this.drop(stages, stage);
        }
        if (stages.size === 0 && probes === 0) scopes.delete(major);
      }
      if (scopes.size === 0) this.scopes.delete(identity);
    }
  }

  /** Stops every timer. */
  stop(): void {
    for (const scopes of this.scopes.values()) {
      for (const { stages } of scopes.values()) for (const stage of stages.values()) stage.stop();
    }
  }

  private add({ stages }: Scope, identity: StageIdentity, now: number, initial = initialWindow()): Stage {
    const stage = new Stage(this.host, identity, now, initial);
    stages.set(identity.key, stage);
    this.count += 1;
    return stage;
  }

  private drop(stages: Map<string, Stage>, stage: Stage): void {
    stage.stop();
    stages.delete(stage.key);
    this.count -= 1;
  }
}

function used(stage: Stage, now: number): Stage {
  stage.usedAt = now;
  return stage;
}

/** Method, route template and variant. */
function routeKey({ route, variant }: Limited): string {
  return variant === '' ? route.route : `${route.route} ${variant}`;
}

function hiddenKey(job: Limited): string {
  return `hidden ${routeKey(job)}`;
}
