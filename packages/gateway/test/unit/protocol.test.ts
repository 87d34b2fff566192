/** The small pure parts: intents, snowflakes, trace ids, readiness, close codes. */

import { INTENTS, intentBits } from '@guildkit/gateway';
import { GatewayIntentBits } from 'discord-api-types/v10';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CLOSE_CODES, closeCode, refusalDelay } from '../../src/protocol/close-codes.js';
import { privilegedIntentsIn } from '../../src/protocol/intents.js';
import { Readiness } from '../../src/protocol/readiness.js';
import { shardOf, snowflakeTime } from '../../src/protocol/snowflake.js';
import { eventIdOf, sessionTag, traceIdOf } from '../../src/protocol/trace.js';

test('intents have the names and bits that discord-api-types gives them', () => {
  const deprecated = ['GuildBans', 'GuildEmojisAndStickers'];
  const theirs = Object.entries(GatewayIntentBits).filter(
    ([name, bit]) => typeof bit === 'number' && !deprecated.includes(name),
  );
  expect(INTENTS).toEqual(Object.fromEntries(theirs));
  expect(intentBits(['Guilds', 'GuildVoiceStates'])).toBe(129);
  expect(intentBits(5)).toBe(5);
  expect(privilegedIntentsIn(intentBits(['Guilds', 'MessageContent', 'GuildMembers']))).toEqual([
    'GuildMembers',
    'MessageContent',
  ]);
});

test('snowflakes tell their time and their shard', () => {
  // The example of Discord's reference.
  expect(snowflakeTime('175928847299117063')).toBe(1_462_015_105_796);
  expect(snowflakeTime('x')).toBeUndefined();
  expect(shardOf('175928847299117063', 1)).toBe(0);
  expect(shardOf('175928847299117063', 16)).toBe(Number((175_928_847_299_117_063n >> 22n) % 16n));
  expect(shardOf('no id', 4)).toBe(0);
});

test('a session tag is short, stable, different for each session, and not the session id', () => {
  const tags = new Set<string>();
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const id = Buffer.from(bytes).toString('hex');
      const tag = sessionTag(id);
      expect(tag).toMatch(/^[0-9a-z]{11}$/);
      expect(sessionTag(id)).toBe(tag);
      tags.add(tag);
    }),
    { numRuns: 1_000, seed: 2 },
  );
  expect(tags.size).toBeGreaterThan(990);
  expect(eventIdOf(traceIdOf('tag', 7), 0)).toBe('tag-7-0');
});

test('close codes and refusals', () => {
  expect(closeCode(1006)).toEqual({ name: 'connection lost', next: 'resume' });
  const next = (wanted: string) => Object.keys(CLOSE_CODES).filter((code) => closeCode(Number(code)).next === wanted);
  expect(next('stop')).toEqual(['4004', '4010', '4011', '4012', '4013', '4014']);
  expect(next('identify')).toEqual(['1000', '1001', '4003', '4007', '4009']);
  expect([401, 403, 429, 500, 503, 302].map(refusalDelay)).toEqual([
    'never',
    'cap',
    'retryAfter',
    'backoff',
    'backoff',
    'backoff',
  ]);
});

test('readiness waits for every shard and for the guilds that are wanted', () => {
  const all = new Readiness([0, 1], undefined, true);
  all.shardReady(0, ['a']);
  all.guildSettled('a');
  expect([all.shardsReady, all.done]).toEqual([false, false]);
  all.shardReady(1, ['b']);
  expect([all.shardsReady, all.done, all.missing]).toEqual([true, false, ['b']]);
  all.guildSettled('b');
  expect(all.done).toBe(true);

  const one = new Readiness([0], new Set(['a', 'z']), true);
  one.shardReady(0, ['a', 'b']);
  expect([one.missing, one.unknown]).toEqual([['a'], ['z']]);

  const resumed = new Readiness([0], new Set(['z']), true);
  resumed.shardResumed(0);
  expect([resumed.done, resumed.unknown]).toEqual([true, []]);

  const blind = new Readiness([0], new Set(['a']), false);
  blind.shardReady(0, []);
  expect([blind.done, blind.unknown]).toEqual([true, []]);
});

test('a trace id ends in the sequence number', () => {
  fc.assert(
    fc.property(fc.oneof(fc.nat(), fc.maxSafeNat()), (seq) => {
      expect(traceIdOf('tag', seq)).toBe(`tag-${seq}`);
    }),
  );
  for (const seq of [0, 999, 1_000, 1_001, 999_999, 1_000_000, Number.MAX_SAFE_INTEGER]) {
    expect(traceIdOf('tag', seq)).toBe(`tag-${seq}`);
  }
});
