/** The stores in memory under the suites that every store passes. */
import { HmacError, memoryReplayStore } from '@guildkit/server-kit/hmac';
import { createVirtualClock } from '@guildkit/testkit';
import { expect, it } from 'vitest';
import { replayStoreSuite } from './replay-store-suite.js';

replayStoreSuite('memory', async () => {
  const clock = createVirtualClock();
  return { store: memoryReplayStore({ clock }), advance: (ms) => clock.advance(ms) };
});

it('a full replay store refuses rather than forgets, and takes again when something has run out', async () => {
  const clock = createVirtualClock();
  const store = memoryReplayStore({ clock, maxEntries: 2 });
  await store.claim('a', 1_000);
  await store.claim('b', 5_000);
  const refused = await store.claim('c', 1_000).catch((error: unknown) => error);
  expect(HmacError.is(refused) && refused.code).toBe('ERR_HMAC_STORE_FULL');
  expect(await store.claim('a', 1_000)).toBe(false);
  await clock.advance(1_001);
  expect(await store.claim('c', 1_000)).toBe(true);
  expect(await store.claim('b', 1_000)).toBe(false);
});
