/**
 * Owns how many IDENTIFYs a bot has left (Discord docs, Gateway: Session Start Limit). Whoever spends the last one has
 * every session ended and the token reset, so some are never spent. Refuses to store and to ask.
 */

/** IDENTIFYs of a bot, over all its shards and processes. */
export interface IdentifyBudget {
  /** How many Discord gives. */
  readonly total: number;
  readonly remaining: number;
  /** When it gives them anew, unix ms. */
  readonly resetAt: number;
}

/** `session_start_limit` of GET /gateway/bot. */
export interface SessionStartLimit {
  readonly total: number;
  readonly remaining: number;
  /** ms. */
  readonly reset_after: number;
}

/** Docs, Gateway: Identifying: 1000 in 24 hours. */
const DAY_MS = 86_400_000;
const USUAL_TOTAL = 1_000;

/** What is kept back: others may identify with the same token, and what we count may lag behind. */
const MAX_RESERVE = 10;

/** Reads what Discord says; without it, the documented one. */
export function budgetOf(limit: Partial<SessionStartLimit> | undefined, now: number): IdentifyBudget {
  const total = count(limit?.total) ?? USUAL_TOTAL;
  const remaining = Math.min(count(limit?.remaining) ?? total, total);
  // Before the first IDENTIFY of a day there is nothing to reset.
  return { total, remaining, resetAt: now + (count(limit?.reset_after) || DAY_MS) };
}

/** Whether a value from a store is a budget. */
export function isIdentifyBudget(value: unknown): value is IdentifyBudget {
  if (typeof value !== 'object' || value === null) return false;
  const { total, remaining, resetAt } = value as Readonly<Record<keyof IdentifyBudget, unknown>>;
  return count(total) !== undefined && count(remaining) !== undefined && count(resetAt) !== undefined;
}

/** Of two counts of the same thing, the one that leaves less; one whose time is over says nothing. */
export function stricter(a: IdentifyBudget, b: IdentifyBudget | undefined, now: number): IdentifyBudget {
  if (b === undefined || isOver(b, now)) return a;
  if (isOver(a, now)) return b;
  return b.remaining < a.remaining ? b : a;
}

/** Whether it has been renewed since. */
export function isOver({ resetAt }: IdentifyBudget, now: number): boolean {
  return now >= resetAt;
}

/** The budget of the next day, when Discord cannot be asked. */
export function renewed({ total, resetAt }: IdentifyBudget, now: number): IdentifyBudget {
  const days = Math.floor((now - resetAt) / DAY_MS) + 1;
  return { total, remaining: total, resetAt: resetAt + days * DAY_MS };
}

/** The budget less one; `undefined` when the rest is to be kept. */
export function spend(budget: IdentifyBudget): IdentifyBudget | undefined {
  return budget.remaining <= reserveOf(budget) ? undefined : { ...budget, remaining: budget.remaining - 1 };
}

/** One in a hundred, ten at most. */
function reserveOf({ total }: IdentifyBudget): number {
  return Math.min(MAX_RESERVE, Math.floor(total / 100));
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.floor(value) : undefined;
}
