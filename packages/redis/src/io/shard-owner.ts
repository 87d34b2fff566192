/**
 * Owns the election of one owner on Redis: runs `protocol/election.ts`, asks Redis, runs the owner's work. Refuses to
 * interrupt that work: it is told to end, and nobody of this process is elected before it has.
 */
import { randomBytes } from 'node:crypto';
import {
  type Clock,
  check,
  createDriver,
  type Driver,
  type Logger,
  messageOf,
  resolveOptions,
  silentLogger,
  systemClock,
  TypedEmitter,
} from '@guildkit/core';
import { slotOf, slotTags } from '../codec/slots.js';
import { RedisError } from '../errors.js';
import {
  createElection,
  type DeposedReason,
  type ElectionEffect,
  type ElectionInput,
  type ElectionState,
  initialElection,
  isOwnerAt,
} from '../protocol/election.js';
import { type RedisFence, termOf } from './fence.js';
import { ACQUIRE, PROBE, RELEASE, RENEW, SEAL } from './owner-scripts.js';
import type { RedisScriptClient } from './port.js';
import { ScriptRunner } from './scripts.js';

/** Settings of {@link createShardOwner}. */
export interface ShardOwnerOptions {
  /** A connected client, which stays yours. */
  readonly client: RedisScriptClient;
  /** Of every key. @defaultValue 'guildkit' */
  readonly prefix?: string | undefined;
  /** What is owned: all who stand for the same name elect one of them. @defaultValue 'gateway' */
  readonly name?: string | undefined;
  /** How long Redis keeps the lease of an owner that says nothing, in ms. @defaultValue 10000: far longer than a pause of the event loop, far shorter than Discord keeps a session */
  readonly leaseMs?: number | undefined;
  /** How often those who stand ready ask, in ms. @defaultValue 500: what a hand-over takes at most */
  readonly askEveryMs?: number | undefined;
  /** How long Redis may take to answer, in ms. @defaultValue a quarter of `leaseMs`: two tries fit before it runs out */
  readonly commandTimeoutMs?: number | undefined;
  /**
   * The owner's work, begun at each election. Has to end soon after `ownership.signal` fires: nobody of this process is
   * elected before. When it ends by itself or rejects, the lease is given back, and this process rests for `leaseMs`.
   */
  readonly run: (ownership: ShardOwnership) => Promise<void>;
  /** pino's shape. @defaultValue silent */
  readonly logger?: Logger | undefined;
  /** Of timers, and of leases when given: those go by the server's time otherwise. */
  readonly clock?: Clock | undefined;
  /** Spreads questions, `[0, 1)`. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined;
}

/**
 * Where an election is, as one process sees it. `leaving`: still the owner, the work was told to end; `deposed`: the work was
 * told to end, and another may be the owner.
 */
export type ShardOwnerState = 'standby' | 'asking' | 'owner' | 'leaving' | 'deposed' | 'releasing' | 'closed';

/** Events of {@link ShardOwner}. */
export interface ShardOwnerEvents {
  /** This process owns the name. */
  elected: { readonly term: number };
  /** Its ownership is over: the work was told to end. */
  deposed: { readonly term: number; readonly reason: DeposedReason };
  /** Each step of the election. */
  stateChange: { readonly from: ShardOwnerState; readonly to: ShardOwnerState };
  /** Redis did not answer (told once until it does), or the work rejected. */
  error: { readonly error: unknown };
}

const DEFAULTS = {
  client: undefined as RedisScriptClient | undefined,
  prefix: 'guildkit',
  name: 'gateway',
  leaseMs: 10_000,
  askEveryMs: 500,
  commandTimeoutMs: undefined as number | undefined,
  run: undefined as ShardOwnerOptions['run'] | undefined,
  logger: silentLogger,
  clock: undefined as Clock | undefined,
  random: Math.random,
};

type Settings = typeof DEFAULTS & Pick<ShardOwnerOptions, 'client' | 'run'>;

/** Seals of a cluster's slots that are under way at a time. */
const SEALS_AT_A_TIME = 512;

/**
 * Stands for election, at once and until `close()`.
 *
 * @throws TypeError on options out of range.
 */
export function createShardOwner(options: ShardOwnerOptions): ShardOwner {
  const settings = resolveOptions('createShardOwner', DEFAULTS, options, {
    client: (value) => (typeof value === 'object' && value !== null ? undefined : 'must be a client'),
    name: (value) => (typeof value === 'string' && /^[^{}\s]{1,200}$/.test(value) ? undefined : 'must be a word'),
    leaseMs: check.integer(100, 3_600_000),
    askEveryMs: check.integer(1, 3_600_000),
    commandTimeoutMs: check.optional(check.integer(1)),
    run: check.function(),
    random: check.function(),
  });
  return new ShardOwner(settings as Settings);
}

/** One ownership, from an election to its end. Fences the writes that are made with it. */
export class ShardOwnership implements RedisFence {
  /** What is owned. */
  readonly name: string;
  /** The fencing token's number: of two ownerships of one name the later has the higher. */
  readonly term: number;
  /** Fires when the work has to end; its reason is a `RedisError`, `ERR_REDIS_OWNER_DEPOSED`. */
  readonly signal: AbortSignal;
  /** As of {@link RedisFence}. */
  readonly fenceToken: string;
  private readonly host: OwnershipHost;

  /** @internal */
  constructor(host: OwnershipHost, term: number, signal: AbortSignal) {
    this.host = host;
    this.name = host.name;
    this.term = term;
    this.signal = signal;
    this.fenceToken = host.token;
  }

  /** Whether the lease holds by this process's own clock. Still `true` while the work of a hand-over ends. */
  get isValid(): boolean {
    return this.host.isValid(this.term);
  }

  /** Gives the ownership back: the signal fires, and once the work has ended another is elected. */
  resign(): void {
    if (this.host.isValid(this.term)) this.host.resign();
  }

  /** As of {@link RedisFence}. */
  fenceKeyFor(key: string): string {
    return this.host.fenceKeyFor(key);
  }

  /** As of {@link RedisFence}. */
  fenceRefused(seen: string): void {
    this.host.refused(this.term, termOf(seen));
  }
}

interface OwnershipHost {
  readonly name: string;
  readonly token: string;
  isValid(term: number): boolean;
  resign(): void;
  fenceKeyFor(key: string): string;
  refused(term: number, seen: number): void;
}

/** One process that stands for election. Made by {@link createShardOwner}. */
export class ShardOwner extends TypedEmitter<ShardOwnerEvents> {
  private readonly settings: Settings;
  private readonly clock: Clock;
  private readonly runner: ScriptRunner;
  private readonly driver: Driver<ElectionState, ElectionInput>;
  private readonly holder = randomBytes(9).toString('base64url');
  private readonly keys: readonly [string, string];
  private readonly ended: Promise<void>;
  private settleEnded: () => void = () => {};
  private held: { readonly ownership: ShardOwnership; readonly abort: AbortController } | undefined;
  private isCluster: boolean | undefined;
  private isTroubled = false;

  /** @internal */
  constructor(settings: Settings) {
    super();
    this.settings = settings;
    const { client, prefix, name, leaseMs, askEveryMs, commandTimeoutMs = Math.ceil(leaseMs / 4) } = settings;
    this.clock = settings.clock ?? systemClock;
    // Answers come in real time, whatever the time of the lease is.
    this.runner = new ScriptRunner(client, commandTimeoutMs, systemClock);
    this.keys = [`${prefix}:{owner:${name}}:fence`, `${prefix}:{owner:${name}}:lease`];
    this.ended = new Promise((resolve) => {
      this.settleEnded = resolve;
    });
    const rules = {
      leaseMs,
      askEveryMs,
      // Clocks of computers differ by far less than a tenth; what takes longer is a process that was stopped.
      marginMs: Math.ceil(leaseMs / 10),
      renewEveryMs: Math.floor(leaseMs / 3),
    };
    this.driver = createDriver<ElectionState, ElectionInput, ElectionEffect>({
      reducer: createElection(rules),
      initial: initialElection(this.clock.now()),
      run: (effect) => this.carryOut(effect),
      onEffectError: (error) => this.tell(error),
      onTransition: (from, to) => {
        if (from.phase !== to.phase) this.emit('stateChange', { from: from.phase, to: to.phase });
      },
      clock: this.clock,
      random: settings.random,
    });
  }

  /** Where the election is. A process that slept may not know yet that it lost: see {@link isOwner}. */
  get state(): ShardOwnerState {
    return this.driver.state.phase;
  }

  /** Whether this process owns the name, by its own clock. */
  get isOwner(): boolean {
    return isOwnerAt(this.driver.state, this.clock.now());
  }

  /** The ownership, until its work was told to end. */
  get ownership(): ShardOwnership | undefined {
    return this.held?.abort.signal.aborted === false ? this.held.ownership : undefined;
  }

  /** The term of {@link ownership}. */
  get term(): number | undefined {
    return this.ownership?.term;
  }

  /** Gives the ownership back, if there is one, and lets others go first. */
  resign(): void {
    this.driver.dispatch({ type: 'resign' });
  }

  /** Hands over: the work ends, still as the owner, then the lease is given back. Idempotent; resolves when nothing is left. */
  close(): Promise<void> {
    this.driver.dispatch({ type: 'close' });
    return this.ended;
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private carryOut(effect: ElectionEffect): void {
    switch (effect.type) {
      case 'ask':
        void this.answer(effect.id, this.ask(effect.id, effect.floor));
        return;
      case 'renew':
        void this.answer(effect.id, this.renew(effect));
        return;
      case 'release':
        void this.answer(
          effect.id,
          this.runner
            .run(RELEASE, this.keys, [this.holder, effect.id])
            .then(() => ({ type: 'released', id: effect.id })),
        );
        return;
      case 'elect':
        this.begin(effect.term, effect.lease);
        return;
      case 'end':
        this.settings.logger.info({ name: this.settings.name, term: effect.term, reason: effect.reason }, 'deposed');
        this.held?.abort.abort(new RedisError('ERR_REDIS_OWNER_DEPOSED'));
        this.emit('deposed', { term: effect.term, reason: effect.reason });
        return;
      case 'closed':
        this.driver.stop();
        this.settleEnded();
        return;
    }
  }

  /** Hands Redis's answer to the election. */
  private async answer(id: number, answered: Promise<ElectionInput>): Promise<void> {
    let input: ElectionInput;
    try {
      input = await answered;
      this.isTroubled = false;
    } catch (error) {
      // Once: it is asked again and again.
      if (!this.isTroubled) this.tell(error);
      this.isTroubled = true;
      input = { type: 'failed', id };
    }
    this.driver.dispatch(input);
  }

  private async ask(id: number, floor: number): Promise<ElectionInput> {
    this.isCluster ??= await this.findCluster();
    const { leaseMs } = this.settings;
    const reply = await this.runner.run(ACQUIRE, this.keys, [this.holder, id, leaseMs, floor, this.time()]);
    const [granted, termText, left] = reply as [number, string, string];
    const term = Number(termText);
    if (granted !== 1) return { type: 'held', id, term, remainingMs: Number(left) };
    const standing = this.isCluster ? await this.seal(this.tokenOf(term, id)) : undefined;
    return standing === undefined
      ? { type: 'granted', id, term }
      : { type: 'held', id, term: standing, remainingMs: 0 };
  }

  private async renew({ id, term, lease }: Extract<ElectionEffect, { type: 'renew' }>): Promise<ElectionInput> {
    const token = this.tokenOf(term, lease);
    const reply = await this.runner.run(RENEW, this.keys, [token, this.settings.leaseMs, this.time()]);
    const [renewed, standing] = reply as [number, string];
    return renewed === 1 ? { type: 'renewed', id } : { type: 'lost', id, term: termOf(standing) };
  }

  /**
   * Sets the fence in every slot of a cluster, before anything is done as the owner: from then on no write of an earlier
   * term is taken anywhere. Answers the later term that it met.
   */
  private async seal(token: string): Promise<number | undefined> {
    const keys = slotTags().map((tag) => this.slotFence(tag));
    for (let at = 0; at < keys.length; at += SEALS_AT_A_TIME) {
      const some = keys.slice(at, at + SEALS_AT_A_TIME);
      const standing = await Promise.all(some.map((key) => this.runner.run(SEAL, [key], [token])));
      const other = standing.find((each) => each !== '');
      if (other !== undefined) return termOf(String(other));
    }
    return undefined;
  }

  private async findCluster(): Promise<boolean> {
    const { prefix } = this.settings;
    try {
      await this.runner.run(PROBE, [`${prefix}:{a}:probe`, `${prefix}:{b}:probe`], []);
      return false;
    } catch (error) {
      if (RedisError.is(error) && error.cause instanceof Error && error.cause.message.startsWith('CROSSSLOT'))
        return true;
      throw error;
    }
  }

  private begin(term: number, lease: number): void {
    const { logger, name, run } = this.settings;
    const abort = new AbortController();
    const host: OwnershipHost = {
      name,
      token: this.tokenOf(term, lease),
      isValid: (of) => this.held?.ownership.term === of && this.isOwner,
      resign: () => this.resign(),
      fenceKeyFor: (key) => (this.isCluster ? this.slotFence(slotTags()[slotOf(key)] as string) : this.keys[0]),
      refused: (of, seen) => this.driver.dispatch({ type: 'refused', term: of, seen }),
    };
    const ownership = new ShardOwnership(host, term, abort.signal);
    this.held = { ownership, abort };
    logger.info({ name, term }, 'elected');
    this.emit('elected', { term });
    Promise.resolve()
      .then(() => run(ownership))
      .catch((error: unknown) => this.tell(error))
      .finally(() => this.driver.dispatch({ type: 'finished' }));
  }

  /** As `owner-scripts.ts` writes it. */
  private tokenOf(term: number, lease: number): string {
    return `${term} ${this.holder} ${lease}`;
  }

  private slotFence(tag: string): string {
    const { prefix, name } = this.settings;
    return `${prefix}:{${tag}}:fence:${name}`;
  }

  private time(): string {
    return this.settings.clock === undefined ? '' : String(Math.floor(this.clock.wallTime()));
  }

  private tell(error: unknown): void {
    const { logger, name } = this.settings;
    logger.warn({ name, reason: messageOf(error) }, 'trouble with the election or the work of its owner');
    this.emit('error', { error });
  }
}
