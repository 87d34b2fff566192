/** Writes in batches: at once when idle, gathered within a turn and under load, never reordered, never lost. */
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batcher, Outbox } from '../../src/hub/io/outbox.js';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function setup(costMs = 0) {
  const clock = createVirtualClock();
  const batcher = new Batcher(clock);
  const writes: Buffer[] = [];
  const outbox = (into = writes) =>
    new Outbox(
      {
        waiting: 0,
        write(bytes) {
          // What writing costs.
          if (costMs > 0) clock.advanceSync(costMs);
          into.push(bytes);
        },
      },
      batcher,
    );
  return { clock, batcher, outbox, writes, texts: (list = writes) => list.map(String) };
}

describe('an outbox', () => {
  it('writes at once when nothing is going on', async () => {
    const { outbox, texts, clock } = setup();
    const one = outbox();
    one.push(Buffer.from('a'));
    expect(one.waiting).toBe(1);
    await Promise.resolve();
    expect([texts(), one.waiting]).toEqual([['a'], 0]);
    expect(clock.pending).toBe(0);
  });

  it('gathers what else comes within the turn into one write', async () => {
    const { outbox, texts } = setup();
    const one = outbox();
    for (const letter of 'abcd') {
      one.push(Buffer.from(letter));
      await Promise.resolve();
    }
    expect(texts()).toEqual(['a']);
    await turn();
    expect(texts()).toEqual(['a', 'bcd']);
    await turn();
    one.push(Buffer.from('e'));
    await Promise.resolve();
    expect(texts()).toEqual(['a', 'bcd', 'e']);
  });

  it('that gets messages faster than it writes waits half as long as the writes took, but no longer than 50 ms', async () => {
    for (const [costMs, holdMs] of [
      [20, 10],
      [400, 50],
      [0.5, 0],
    ] as const) {
      const { outbox, writes, clock } = setup(costMs);
      const one = outbox();
      one.push(Buffer.from('a'));
      one.push(Buffer.from('b'));
      await Promise.resolve();
      await turn();
      one.push(Buffer.from('c'));
      await turn();
      expect(writes).toHaveLength(holdMs === 0 ? 2 : 1);
      if (holdMs === 0) continue;
      one.push(Buffer.from('d'));
      await clock.advance(holdMs - 1);
      expect(writes).toHaveLength(1);
      await clock.advance(1);
      expect(writes.map(String)).toEqual(['ab', 'cd']);
      expect(clock.pending).toBe(0);
    }
  });

  it('that gets messages one by one never waits, whatever writing costs, also where each has two parts', async () => {
    const { outbox, texts, clock } = setup(40);
    const one = outbox();
    for (const letter of 'abc') {
      one.push(Buffer.from(`${letter}:`), 0);
      one.push(Buffer.from(letter));
      await Promise.resolve();
      await turn();
    }
    expect(texts()).toEqual(['a:a', 'b:b', 'c:c']);
    expect(clock.pending).toBe(0);
  });

  it('joins the same list once for all sockets', async () => {
    const { outbox, batcher } = setup();
    const lists = [[], [], []] as Buffer[][];
    const boxes = lists.map((list) => outbox(list));
    const frames = ['x', 'y', 'z'].map((text) => Buffer.from(text));
    for (const frame of frames) for (const box of boxes) box.push(frame);
    boxes[2]?.push(Buffer.from('!'));
    batcher.flush();
    expect(lists.map((list) => list.map(String))).toEqual([['xyz'], ['xyz'], ['xyz!']]);
    expect(lists[0]?.[0]).toBe(lists[1]?.[0]);
  });

  it('is filled by rooms just before it is written, also while writes wait, and by who hears of it', async () => {
    const { outbox, batcher, texts, clock } = setup(20);
    const got: Buffer[][] = [[], []];
    const boxes = got.map((into) => outbox(into));
    const room = (...letters: string[]) =>
      batcher.gather(() => {
        for (const box of boxes) box.push(Buffer.from(letters.join('')), letters.length);
      });
    const all = () => got.map((into) => texts(into).join(' '));
    room('a', 'b');
    boxes[0]?.push(Buffer.from('c'));
    expect(all()).toEqual(['', '']);
    await Promise.resolve();
    expect(all()).toEqual(['cab', 'ab']);
    await turn();
    // Two rooms: one write for each socket.
    room('d');
    room('e', 'f');
    await clock.advance(19);
    expect(all()).toEqual(['cab', 'ab']);
    await clock.advance(1);
    expect(all()).toEqual(['cab def', 'ab def']);
    await clock.advance(50);
    await turn();
    batcher.gather(() => {
      boxes[0]?.push(Buffer.from('g'), 2);
      room('h');
    });
    for (let n = 0; n < 3; n += 1) {
      await turn();
      await clock.advance(50);
    }
    expect(all()).toEqual(['cab def g h', 'ab def h']);
    expect(clock.pending).toBe(0);
  });

  it('without anything that waits passes on what the last room of a flush says, and counts it as load', async () => {
    const { outbox, batcher, texts, clock } = setup(20);
    const one = outbox();
    batcher.gather(() => {
      one.push(Buffer.from('a'), 2);
      // The first part of a message waits for the rest.
      one.push(Buffer.from('b:'), 0);
      one.push(Buffer.from('b'));
    });
    await Promise.resolve();
    expect(texts()).toEqual(['a', 'b:b']);
    expect(one.waiting).toBe(0);
    await turn();
    batcher.gather(() => one.push(Buffer.from('c')));
    await turn();
    expect(texts()).toHaveLength(2);
    await clock.advance(50);
    expect(texts()).toEqual(['a', 'b:b', 'c']);
  });

  it('that is discarded writes nothing more, and the others do', async () => {
    const { outbox, texts, batcher } = setup();
    const [gone, kept] = [outbox(), outbox()];
    gone.push(Buffer.from('gone'));
    kept.push(Buffer.from('kept'));
    gone.discard();
    batcher.flush();
    batcher.flush();
    expect(texts()).toEqual(['kept']);
  });

  it('keeps order and loses nothing, whatever the cost and whoever flushes', async () => {
    const op = fc.oneof(
      { weight: 6, arbitrary: fc.record({ type: fc.constant('push' as const), box: fc.nat(2) }) },
      { weight: 1, arbitrary: fc.constant({ type: 'turn' as const }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('flush' as const), box: fc.nat(2) }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(60) }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(op, { maxLength: 60, size: 'max' }),
        fc.constantFrom(0, 2, 30),
        async (list, costMs) => {
          const { outbox, clock } = setup(costMs);
          const got: Buffer[][] = [[], [], []];
          const boxes = got.map((into) => outbox(into));
          const sent = [0, 0, 0];
          for (const each of list) {
            if (each.type === 'push') {
              sent[each.box] = (sent[each.box] ?? 0) + 1;
              boxes[each.box]?.push(Buffer.from(`${sent[each.box]},`));
            } else if (each.type === 'turn') await turn();
            else if (each.type === 'flush') boxes[each.box]?.flush();
            else await clock.advance(each.ms);
          }
          for (let n = 0; n < 4; n += 1) {
            await turn();
            await clock.advance(50);
          }
          for (const [n, into] of got.entries()) {
            const expected = Array.from({ length: sent[n] ?? 0 }, (_, at) => `${at + 1},`).join('');
            expect(into.map(String).join('')).toBe(expected);
          }
          expect(clock.pending).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });
});
