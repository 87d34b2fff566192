/**
 * Owns the count of invalid requests. Discord bans an address for a while after 10,000 of them in 10 minutes
 * (Rate Limits, "Invalid Request Limit"): 401, 403 and 429, except 429s of shared scope.
 */

/** Invalid requests of the last ten minutes, by ten-second slices. */
export interface InvalidBudget {
  /** Oldest first. */
  readonly slices: readonly { readonly at: number; readonly count: number }[];
  readonly count: number;
}

/** Discord's window, in ms. */
export const INVALID_WINDOW_MS = 600_000;
const SLICE_MS = 10_000;

/** No invalid request yet. */
export const EMPTY_BUDGET: InvalidBudget = { slices: [], count: 0 };

/** The count without what is over ten minutes old. */
export function agedBudget(budget: InvalidBudget, now: number): InvalidBudget {
  if (budget.count === 0) return budget;
  // A slice is dropped when its youngest request is too old.
  const slices = budget.slices.filter((slice) => slice.at + SLICE_MS + INVALID_WINDOW_MS > now);
  if (slices.length === budget.slices.length) return budget;
  return { slices, count: slices.reduce((sum, slice) => sum + slice.count, 0) };
}

/** The count with one more. */
export function countInvalid(budget: InvalidBudget, now: number): InvalidBudget {
  const { slices, count } = agedBudget(budget, now);
  const last = slices[slices.length - 1];
  const grown =
    last !== undefined && now < last.at + SLICE_MS
      ? [...slices.slice(0, -1), { at: last.at, count: last.count + 1 }]
      : [...slices, { at: now, count: 1 }];
  return { slices: grown, count: count + 1 };
}

/** When the oldest slice is forgotten, in ms from now. */
export function budgetRelief(budget: InvalidBudget, now: number): number {
  const first = budget.slices[0];
  return first === undefined ? 0 : Math.max(0, first.at + SLICE_MS + INVALID_WINDOW_MS - now);
}

/** Whether a status counts. */
export function isInvalid(status: number, scope: string | undefined): boolean {
  return status === 401 || status === 403 || (status === 429 && scope !== 'shared');
}
