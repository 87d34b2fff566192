import { createTokenBucket, memoryBucketStore } from '@guildkit/server-kit/commands';
import { createVirtualClock } from '@guildkit/testkit';
import { expect, it } from 'vitest';
import { tokenBucketStoreSuite } from './token-bucket-store-suite.js';

tokenBucketStoreSuite('memory', async () => {
  const clock = createVirtualClock();
  return { store: memoryBucketStore({ clock }), advance: clock.advance };
});

it('buckets have the limit of the specification unless another is given', async () => {
  const clock = createVirtualClock();
  expect(createTokenBucket().limit).toEqual({ tokens: 5, perMs: 5_000, burst: 10 });
  const bucket = createTokenBucket({ burst: 1, clock });
  expect((await bucket.take('a')).allowed).toBe(true);
  expect((await bucket.take('a')).retryAfterMs).toBe(1_000);
  await bucket.give('a');
  expect((await bucket.take('a')).allowed).toBe(true);
  for (const bad of [{ tokens: 0 }, { perMs: 0 }, { burst: 0.5 }, { rate: 1 }] as never[]) {
    expect(() => createTokenBucket(bad)).toThrow(TypeError);
  }
});

it('full buckets are forgotten, others never', async () => {
  const clock = createVirtualClock();
  const bucket = createTokenBucket({ burst: 1, tokens: 1, perMs: 1_000, clock });
  await bucket.take('kept');
  for (let n = 0; n < 30_000; n += 1) await bucket.take(`k${n}`);
  expect((await bucket.take('kept')).allowed).toBe(false);
  await clock.advance(1_000);
  expect((await bucket.take('kept')).allowed).toBe(true);
});
