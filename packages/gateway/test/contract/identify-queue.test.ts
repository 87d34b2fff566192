/** Every identify queue of this package passes the suite. */
import { localIdentifyQueue } from '@guildkit/gateway';
import { createVirtualClock } from '@guildkit/testkit';
import { BudgetKeeper, withinBudget } from '../../src/io/identify-budget.js';
import { identifyQueueSuite } from './identify-queue-suite.js';

identifyQueueSuite('local', async () => {
  const clock = createVirtualClock();
  const queue = localIdentifyQueue({ clock });
  return {
    queues: [queue, queue],
    now: () => clock.now(),
    advance: (ms) => clock.advance(ms),
    pending: () => clock.pending,
    close: async () => {},
  };
});

identifyQueueSuite('local, within a budget,', async () => {
  const clock = createVirtualClock();
  const keeper = new BudgetKeeper({
    store: undefined,
    key: 'bot',
    clock,
    limit: { total: 1_000, remaining: 1_000, reset_after: 0 },
    refresh: async () => undefined,
    onFailure: () => {},
    onSpent: () => {},
  });
  const queue = withinBudget(localIdentifyQueue({ clock }), keeper);
  return {
    queues: [queue, queue],
    now: () => clock.now(),
    async advance(ms) {
      // Shards take of the budget one after the other: many promises before the first timer.
      for (let turn = 0; turn < 20; turn += 1) await clock.advance(0);
      await clock.advance(ms);
    },
    pending: () => clock.pending,
    close: async () => {},
  };
});
