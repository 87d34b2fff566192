/** What is said of many rooms within one turn: together where it can be, in order, and told to whoever said it. */
import { systemClock } from '@guildkit/core';
import { expect, it } from 'vitest';
import { ManyRooms } from '../../src/io/many-rooms.js';
import type { RedisScriptOptions } from '../../src/io/port.js';
import { ScriptRunner } from '../../src/io/scripts.js';
import { ViewerLeases } from '../../src/io/viewer-leases.js';

function leasesOn(answer: (keys: readonly string[]) => void = () => {}) {
  const sent: RedisScriptOptions[] = [];
  const client = {
    async evalSha(_: string, options: RedisScriptOptions) {
      sent.push(options);
      answer(options.keys);
      return 1;
    },
    eval: () => Promise.reject(new Error('known by its hash')),
  };
  const runner = new ScriptRunner(client, 1_000, systemClock);
  return { sent, leases: new ViewerLeases({ runner, manyRooms: new ManyRooms(), time: () => '5' }) };
}

it('sends a hundred rooms in one command, in the order in which they were said', async () => {
  const { sent, leases } = leasesOn();
  await Promise.all(Array.from({ length: 150 }, (_, n) => leases.set(`room ${n}`, 'node', [`user ${n}`], 45_000)));
  expect(sent.map(({ keys }) => keys.length)).toEqual([100, 50]);
  expect(sent[1]).toMatchObject({ keys: expect.arrayContaining(['room 100', 'room 149']) });
  expect(sent[1]?.arguments.slice(0, 4)).toEqual(['45000', '5', 'node', '["user 100"]']);
  await leases.set('room 0', 'node', [], 45_000);
  expect(sent[2]).toEqual({ keys: ['room 0'], arguments: ['45000', '5', 'node', ''] });
});

it('sends each room by itself where their keys are on several nodes, and rejects when one does', async () => {
  const { sent, leases } = leasesOn((keys) => {
    if (keys.length > 1) throw new Error("CROSSSLOT Keys in request don't hash to the same slot");
    if (keys[0] === 'b') throw new Error('away');
  });
  const told = ['a', 'b'].map((key) => leases.set(key, 'node', ['user'], 45_000));
  await expect(Promise.allSettled(told)).resolves.toMatchObject([{ status: 'rejected' }, { status: 'rejected' }]);
  expect(sent.map(({ keys }) => keys)).toEqual([['a', 'b'], ['a'], ['b']]);
  await expect(leases.set('c', 'node', ['user'], 45_000)).resolves.toBeUndefined();
});
