/** Owns how many frames a client may send: a token bucket. */

/** A bucket's content at a time. */
export interface FrameBudget {
  readonly tokens: number;
  readonly at: number;
}

/** A full bucket. */
export function fullBudget(burst: number, now: number): FrameBudget {
  return { tokens: burst, at: now };
}

/** Takes one token; `undefined` when there is none. */
export function takeToken(budget: FrameBudget, now: number, perSecond: number, burst: number): FrameBudget | undefined {
  const tokens = Math.min(burst, budget.tokens + (Math.max(0, now - budget.at) * perSecond) / 1000);
  return tokens < 1 ? undefined : { tokens: tokens - 1, at: now };
}
