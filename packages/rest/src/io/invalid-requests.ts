/**
 * Owns the budget of invalid requests of one client: counts, warns, refuses before Discord bans the address. The
 * counting itself is `protocol/invalid-budget`.
 */
import type { Clock, Logger } from '@guildkit/core';
import { InvalidRequestBudgetError } from '../errors.js';
import type { RestEvents } from '../events.js';
import { agedBudget, budgetRelief, countInvalid, EMPTY_BUDGET } from '../protocol/invalid-budget.js';
import { factsOf, type Run } from './run.js';

/** Settings of {@link InvalidRequests}. */
export interface InvalidRequestsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** At which Discord bans. */
  readonly invalidRequestLimit: number;
  readonly emit: (name: 'invalidRequest', event: RestEvents['invalidRequest']) => void;
}

/** Refuses before Discord bans: the last twentieth of the budget is left for other processes of the address. */
const BUDGET_SHARE = 0.95;
const WARN_SHARES = [0.25, 0.5, 0.75, 0.9] as const;

/** 401, 403 and 429 (other than shared) of the last ten minutes. */
export class InvalidRequests {
  private readonly options: InvalidRequestsOptions;
  private budget = EMPTY_BUDGET;

  constructor(options: InvalidRequestsOptions) {
    this.options = options;
  }

  get count(): number {
    if (this.budget.count > 0) this.budget = agedBudget(this.budget, this.options.clock.now());
    return this.budget.count;
  }

  /** @throws InvalidRequestBudgetError when nothing more may be sent. */
  check(run: Run): void {
    const { clock, invalidRequestLimit } = this.options;
    const { count } = this;
    if (count < invalidRequestLimit * BUDGET_SHARE) return;
    throw new InvalidRequestBudgetError(`Not sent: ${count} invalid requests in ten minutes`, {
      code: 'ERR_REST_BUDGET_EXHAUSTED',
      retryable: true,
      count,
      retryAfterMs: budgetRelief(this.budget, clock.now()),
      ...factsOf(run),
    });
  }

  /** Counts an answer that was one. */
  add(run: Run, status: number): void {
    const { clock, emit, logger, invalidRequestLimit: limit } = this.options;
    this.budget = countInvalid(this.budget, clock.now());
    const { count } = this.budget;
    const { method, route } = factsOf(run);
    const level = WARN_SHARES.some((share) => count === Math.ceil(limit * share)) ? 'warning' : 'counted';
    emit('invalidRequest', { method, route, status, count, limit, level });
    if (level === 'warning') logger.warn({ count, limit }, 'invalid requests: Discord bans the address at the limit');
  }
}
