import { memoryEngine } from '@guildkit/server-kit/hub';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';
import { engineSuite } from './engine-suite.js';

engineSuite('memory', async (bounds) => {
  const clock = createVirtualClock();
  return { engine: memoryEngine({ ...bounds, clock }), advance: clock.advance, settle: async () => {} };
});

describe('the memory engine', () => {
  it('forgets rooms that nobody hears and that say nothing, and never uses an epoch again', async () => {
    const clock = createVirtualClock();
    const engine = memoryEngine({ clock, maxAgeMs: 1_000 });
    const gone = { guildId: '1', channelId: '10' };
    const first = await engine.publish('channel:10', {
      event: 'room.deleted',
      payload: gone,
      id: 'a',
      ts: 1,
      group: 'guild:1',
    });
    const kept = await engine.publish('guild:1', {
      event: 'room.created',
      payload: { ...gone, name: 'n' },
      id: 'b',
      ts: 1,
    });
    await engine.watch('user:1', () => {});
    const heard = await engine.read('user:1');
    expect(await engine.rooms('guild:1')).toEqual(['channel:10']);
    await clock.advance(31_000);
    const again = await engine.read('channel:10', { epoch: first.epoch, seq: first.seq });
    expect(again).toMatchObject({ seq: 0, recovered: false, snapshot: { state: 'open' } });
    expect(again.epoch).not.toBe(first.epoch);
    expect(await engine.rooms('guild:1')).toEqual([]);
    // A room with a state stays, and so does one that somebody hears.
    expect(await engine.read('guild:1')).toMatchObject({ epoch: kept.epoch, seq: 1 });
    expect((await engine.read('user:1')).epoch).toBe(heard.epoch);
    expect(clock.pending).toBe(0);
  });

  it('refuses options out of range', () => {
    expect(() => memoryEngine({ maxEvents: -1 })).toThrow(TypeError);
    expect(() => memoryEngine({ max: 1 } as never)).toThrow('unknown option "max"');
  });
});
