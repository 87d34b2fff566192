/** What the runs with faults rely on: that they would notice. */
import { describe, expect, it } from 'vitest';
import { doubles, falseSuccesses, misfit } from '../support/room-log.js';

const log = {
  epoch: 'b',
  seq: 3,
  ids: new Map([
    [1, 'event 1'],
    [2, 'event 2'],
    [3, 'event 3'],
  ]),
};
const resolved = (id: string, epoch: string, seq: number) => ({ room: 'channel:1', id, epoch, seq });
const stretch = (epoch: string, from: number, ...ids: string[]) => ({ epoch, from, ids });

describe('what is held against the log', () => {
  it('fits when it is the log, or ended with its epoch', () => {
    const old = [resolved('event 9', 'a', 3)];
    expect(misfit(log, [stretch('b', 1, 'event 2', 'event 3')], [])).toBeUndefined();
    expect(misfit(log, [stretch('a', 2, 'event 9'), stretch('b', 3)], old)).toBeUndefined();
    expect(falseSuccesses(log, [...old, resolved('event 2', 'b', 2)])).toEqual([]);
    expect(doubles(log)).toEqual([]);
  });

  it.each([
    ['nothing', []],
    ['less than the log', [stretch('b', 0, 'event 1', 'event 2')]],
    ['another epoch', [stretch('a', 0, 'event 1', 'event 2', 'event 3')]],
    ['another event', [stretch('b', 0, 'event 1', 'event 7', 'event 3')]],
    ['what nobody published in an epoch that ended', [stretch('a', 2, 'event 8'), stretch('b', 3)]],
  ])('does not fit: %s', (_, told) => {
    expect(misfit(log, told, [resolved('event 9', 'a', 3)])).toBeTypeOf('string');
  });

  it('a success that is not in the log is one that was not, unless the log was evicted', () => {
    expect(falseSuccesses(log, [resolved('event 4', 'b', 4), resolved('event 7', 'b', 2)])).toHaveLength(2);
    expect(falseSuccesses(log, [resolved('event 4', 'b', 4), resolved('event 7', 'b', 2)], true)).toHaveLength(1);
    expect(
      doubles({
        ...log,
        ids: new Map([
          [1, 'event 1'],
          [2, 'event 1'],
        ]),
      }),
    ).toEqual(['event 1']);
  });
});
