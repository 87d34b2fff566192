/** The tail of a room against a plain log: whatever is pushed, what it gives is what the log would. */
import { applyRoomEvent, initialRoomState, type RoomRecord } from '@guildkit/server-kit/hub';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fold, RoomTail } from '../../src/io/room-tail.js';

const ROOM = 'guild:1';
const record = (seq: number, epoch = 'e'): RoomRecord => ({
  room: ROOM,
  epoch,
  seq,
  event: seq % 3 === 0 ? 'room.deleted' : 'room.created',
  payload: JSON.stringify({ guildId: '1', channelId: String(seq % 5), name: `n${seq}` }),
  id: `id ${seq}`,
  ts: seq,
});
const log = (to: number) => Array.from({ length: to }, (_, n) => record(n + 1));
const stateAt = (seq: number) => fold(applyRoomEvent, initialRoomState(ROOM), log(seq));
const tailAt = (seq: number, size: number) =>
  new RoomTail(applyRoomEvent, size, { epoch: 'e', seq, recovered: false, events: [], snapshot: stateAt(seq) });

it('gives every reader what the log would, or nothing', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), by: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ kind: fc.constant('read' as const), by: fc.integer({ min: -1, max: 14 }) }),
    fc.record({ kind: fc.constant('forget' as const), by: fc.integer({ min: -1, max: 14 }) }),
  );
  fc.assert(
    fc.property(fc.nat(5), fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 20 }), (from, size, steps) => {
      const tail = tailAt(from, size);
      let seq = from;
      let forgotten = 0;
      for (const { kind, by } of steps) {
        if (kind === 'forget') {
          tail.forget(seq - by);
          forgotten = Math.max(forgotten, Math.min(seq, seq - by));
          continue;
        }
        if (kind === 'push') {
          for (let n = 0; n < by; n += 1) {
            seq += 1;
            expect(tail.push(record(seq))).toBe('next');
          }
          continue;
        }
        const since = seq - by;
        const read = tail.read({ epoch: 'e', seq: since });
        if (by < 0) expect(read).toBeUndefined();
        if (read === undefined) {
          // Only what is older than the ring, or than the tail's own beginning, or forgotten, may be refused.
          expect(by < 0 || by > size || since < from || since < forgotten).toBe(true);
          continue;
        }
        expect(since).toBeGreaterThanOrEqual(Math.min(seq, forgotten));
        expect(read).toEqual({
          epoch: 'e',
          seq,
          recovered: true,
          events: log(seq).slice(since),
          snapshot: stateAt(seq),
        });
      }
      expect(tail.read(undefined)).toMatchObject({ seq, recovered: false, events: [], snapshot: stateAt(seq) });
    }),
  );
});

it('takes only what follows', () => {
  const tail = tailAt(3, 4);
  expect(tail.push(record(3))).toBe('old');
  expect(tail.push(record(5))).toBe('hole');
  expect(tail.push(record(4, 'other'))).toBe('hole');
  expect(tail.read({ epoch: 'other', seq: 3 })).toBeUndefined();
  expect(tail.position).toEqual({ epoch: 'e', seq: 3 });
  expect(tail.push(record(4))).toBe('next');
});
