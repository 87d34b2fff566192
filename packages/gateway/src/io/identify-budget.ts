/**
 * Owns the count of a bot's IDENTIFYs between and across processes: what Discord said, what the store says, what was
 * spent. Refuses to let a store's failure reach the connection.
 */
import type { Clock } from '@guildkit/core';
import {
  budgetOf,
  type IdentifyBudget,
  isIdentifyBudget,
  isOver,
  renewed,
  type SessionStartLimit,
  spend,
  stricter,
} from '../protocol/identify-budget.js';
import type { IdentifyPermit, IdentifyQueue } from './identify-queue.js';

/** Keeps counts of IDENTIFYs. A key names a bot's token (as a hash); it holds no secret. */
export interface IdentifyBudgetStore {
  /** The count kept under a key, if there is one. */
  load(key: string): Promise<IdentifyBudget | undefined>;
  /** Keeps a count, in place of an older one. */
  save(key: string, budget: IdentifyBudget): Promise<void>;
}

/** What a {@link BudgetKeeper} is made of. */
export interface BudgetKeeperOptions {
  readonly store: IdentifyBudgetStore | undefined;
  readonly key: string;
  readonly clock: Clock;
  readonly limit: Partial<SessionStartLimit> | undefined;
  /** Asks Discord again, when a day is over. */
  refresh(): Promise<Partial<SessionStartLimit> | undefined>;
  onFailure(action: 'load' | 'save', error: unknown): void;
  /** Told once until it is renewed. */
  onSpent(budget: IdentifyBudget): void;
}

/** One bot's budget. */
export class BudgetKeeper {
  private current: IdentifyBudget;
  private toldOf: number | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: BudgetKeeperOptions) {
    this.current = budgetOf(options.limit, options.clock.wallTime());
  }

  /** What is known of it. */
  get budget(): IdentifyBudget {
    return this.current;
  }

  /** Spends one. It is stored before the permit is given: a process that dies of its IDENTIFY must not forget it. */
  take(): Promise<IdentifyPermit> {
    return this.inTurn(async () => {
      await this.bringUpToDate();
      const rest = spend(this.current);
      if (rest === undefined) return this.refusal();
      this.current = rest;
      await this.save();
      return GRANTED;
    });
  }

  /** Gives one back that was not used. */
  giveBack(): Promise<void> {
    return this.inTurn(async () => {
      await this.bringUpToDate();
      const { total, remaining } = this.current;
      this.current = { ...this.current, remaining: Math.min(total, remaining + 1) };
      await this.save();
    });
  }

  private async bringUpToDate(): Promise<void> {
    const { store, key, clock, refresh, onFailure } = this.options;
    try {
      const stored: unknown = await store?.load(key);
      // Another process may have spent some of it.
      if (isIdentifyBudget(stored)) this.current = stricter(this.current, stored, clock.wallTime());
    } catch (error) {
      onFailure('load', error);
    }
    if (!isOver(this.current, clock.wallTime())) return;
    const limit = await refresh().catch(() => undefined);
    const now = clock.wallTime();
    this.current = limit === undefined ? renewed(this.current, now) : budgetOf(limit, now);
  }

  private async save(): Promise<void> {
    const { store, key, onFailure } = this.options;
    await store?.save(key, this.current).catch((error: unknown) => onFailure('save', error));
  }

  private refusal(): IdentifyPermit {
    const { clock, onSpent } = this.options;
    if (this.toldOf !== this.current.resetAt) {
      this.toldOf = this.current.resetAt;
      onSpent(this.current);
    }
    return { granted: false, retryAfterMs: Math.max(0, this.current.resetAt - clock.wallTime()) };
  }

  /** One after the other: two shards must not spend the same one. */
  private inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.turn.then(action);
    this.turn = result.catch(() => {});
    return result;
  }
}

/** A queue that gives no permit when the budget is spent. */
export function withinBudget(queue: IdentifyQueue, keeper: BudgetKeeper): IdentifyQueue {
  return {
    async acquire(request) {
      request.signal.throwIfAborted();
      // Before the turn: who has it identifies at once, for the next one comes 5 s later whatever a store takes.
      const within = await keeper.take();
      if (!within.granted) return within;
      let isUsed = false;
      try {
        const permit = await queue.acquire(request);
        isUsed = permit.granted;
        return permit;
      } finally {
        if (!isUsed) void keeper.giveBack();
      }
    },
  };
}

const GRANTED: IdentifyPermit = { granted: true };
