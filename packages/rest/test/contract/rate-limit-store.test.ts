import { createMemoryRateLimitStore } from '@guildkit/rest';
import { createVirtualClock } from '@guildkit/testkit';
import { describeRateLimitStore } from '../support/rate-limit-store-contract.js';
import { settle } from '../support/settle.js';

describeRateLimitStore('createMemoryRateLimitStore', async () => {
  const clock = createVirtualClock();
  const store = createMemoryRateLimitStore(clock);
  return {
    views: [store, store],
    clock,
    advance: (ms) => clock.advance(ms),
    settle: (promise) => settle(clock, promise),
  };
});
