/** The delivery service against the client library that others use: groups come about, whatever members do. */
import { describe, expect, it } from 'vitest';
import { DaveRoom } from '../support/dave-room.js';

describe('joining and leaving', () => {
  it('makes a group of two, then three, removes and fills the blank leaf', () => {
    const room = new DaveRoom();
    const a = room.join(1);
    const b = room.join(2);
    expect(room.wrong()).toBeUndefined();
    const c = room.join(3);
    expect(room.wrong()).toBeUndefined();
    expect(room.service.view.epoch).toBe(2n);
    const leafOfB = b.session?.ownLeafIndex ?? -1;
    room.leave(b);
    expect(room.wrong()).toBeUndefined();
    const d = room.join(4);
    expect(room.wrong()).toBeUndefined();
    expect(d.session?.ownLeafIndex).toBe(leafOfB);
    expect([a, c, d].flatMap(({ failures }) => failures)).toEqual([]);
    expect(room.service.counters.refused.forged).toBe(0);
  });
});
