/** Slots as Redis computes them, and a tag for each. */
import { expect, it } from 'vitest';
import { SLOTS, slotOf, slotTags } from '../../src/codec/slots.js';

it('of keys with and without tags, as CLUSTER KEYSLOT answers', () => {
  // From redis-server 7.0.15, but for the first: the CRC of the specification's appendix A.
  const known = {
    '123456789': 0x31c3,
    foo: 12_182,
    bar: 5_061,
    '{user1000}.following': 3_443,
    '{}x': 10_595,
    é: 10_180,
  };
  for (const [key, slot] of Object.entries(known)) expect([key, slotOf(key)]).toEqual([key, slot % SLOTS]);
  expect(slotOf('a{foo}b{bar}')).toBe(slotOf('foo'));
  expect(slotOf('{user1000}.followers')).toBe(slotOf('{user1000}.following'));
});

it('each slot has a tag that belongs to it', () => {
  const tags = slotTags();
  expect(tags).toHaveLength(SLOTS);
  tags.forEach((tag, slot) => {
    if (slotOf(`x:{${tag}}:y`) !== slot) throw new Error(`${tag} is not of slot ${slot}`);
  });
  expect(slotTags()).toBe(tags);
});
