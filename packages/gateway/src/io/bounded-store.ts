/** Owns that a store answers: what it has not done in time has failed. Refuses to try again. */
import type { Clock } from '@guildkit/core';
import type { SessionStore } from './session-store.js';

/** What a store may take for one thing. A store that hangs must hold up neither `connect()` nor `close()`. */
export const STORE_TIMEOUT_MS = 10_000;

/** A store whose promises all settle. */
export function boundedStore(store: SessionStore, clock: Clock): SessionStore {
  const inTime = <T>(work: Promise<T>): Promise<T> => settledIn(STORE_TIMEOUT_MS, work, clock);
  const { identifyBudgets } = store;
  return {
    load: async (key) => inTime(store.load(key)),
    save: async (key, session) => inTime(store.save(key, session)),
    remove: async (key) => inTime(store.remove(key)),
    identifyBudgets: identifyBudgets && {
      load: async (key) => inTime(identifyBudgets.load(key)),
      save: async (key, budget) => inTime(identifyBudgets.save(key, budget)),
    },
  };
}

function settledIn<T>(timeoutMs: number, work: Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => clock.clearTimer(timer));
  });
}
