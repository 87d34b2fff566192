/** Chunks of a member list: whatever the order, each member once and in place. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkCollector, type MemberChunk, readMemberChunk } from '../../src/protocol/member-chunks.js';

const chunk = (index: number, count: number, ids: readonly string[]): MemberChunk => ({
  nonce: 'n',
  guildId: '1',
  index,
  count,
  members: ids.map((id) => ({ user: { id } })) as never,
  presences: [],
  notFound: [`missing-${index}`],
});

const idsOf = ({ members }: ChunkCollector): string[] => members.map((member) => member.user.id);

test('in any order, with any repeats, the list is whole at its last missing chunk and not before', () => {
  const arrivals = fc
    .integer({ min: 1, max: 8 })
    .chain((count) =>
      fc.tuple(
        fc.constant(count),
        fc.shuffledSubarray([...Array(count).keys(), ...Array(count).keys()], { minLength: 2 * count }),
      ),
    );
  fc.assert(
    fc.property(arrivals, ([count, order]) => {
      const collector = new ChunkCollector();
      const seen = new Set<number>();
      let completions = 0;
      for (const index of order) {
        const isNew = !seen.has(index);
        seen.add(index);
        const isWhole = collector.push(chunk(index, count, [`${index}a`, `${index}b`]));
        if (isWhole) completions += 1;
        expect(isWhole).toBe(isNew && seen.size === count);
      }
      expect(completions).toBe(1);
      expect(idsOf(collector)).toEqual([...Array(count).keys()].flatMap((index) => [`${index}a`, `${index}b`]));
      expect(collector.notFound).toHaveLength(count);
    }),
    { seed: 3, numRuns: 300 },
  );
});

test('a list that begins anew lists nobody twice, and who is new comes behind', () => {
  const collector = new ChunkCollector();
  collector.restart();
  expect(collector.hasBegun).toBe(false);
  collector.push(chunk(0, 3, ['a', 'b']));
  collector.push(chunk(2, 3, ['e']));
  collector.restart();
  expect(collector.hasBegun).toBe(false);
  expect(collector.push(chunk(0, 2, ['b', 'x', 'a']))).toBe(false);
  expect(collector.push(chunk(1, 2, ['e']))).toBe(true);
  expect(idsOf(collector)).toEqual(['a', 'b', 'x', 'e']);
});

test('what is no chunk is not taken for one', () => {
  const good = { guild_id: '1', members: [], chunk_index: 0, chunk_count: 1 };
  expect(readMemberChunk({ ...good, not_found: [7], nonce: 3 })).toMatchObject({ notFound: ['7'], nonce: undefined });
  const bad = [
    undefined,
    [],
    {},
    { ...good, guild_id: 1 },
    { ...good, members: {} },
    { ...good, chunk_index: 1 },
    { ...good, chunk_index: -1 },
    { ...good, chunk_count: 0 },
    { ...good, chunk_count: 1e9 },
    { ...good, chunk_count: 1.5 },
  ];
  for (const data of bad) expect(readMemberChunk(data)).toBeUndefined();
});
