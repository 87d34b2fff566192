import { channelRoom, guildRoom, parseRoom, userRoom } from '@guildkit/core/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const snowflake = fc.stringMatching(/^[0-9]{1,20}$/);
const userId = fc.stringMatching(/^[A-Za-z0-9_.@|-]{1,128}$/);

describe('parseRoom', () => {
  it('reads back what the makers made (property)', () => {
    fc.assert(
      fc.property(snowflake, userId, (id, user) => {
        expect(parseRoom(guildRoom(id))).toEqual({ kind: 'guild', id });
        expect(parseRoom(channelRoom(id))).toEqual({ kind: 'channel', id });
        expect(parseRoom(userRoom(user))).toEqual({ kind: 'user', id: user });
      }),
    );
  });

  it.each([
    '',
    'guild:',
    'guild:abc',
    'guild:1 ',
    ' guild:1',
    'guild:1\n',
    'Guild:1',
    'guild:123456789012345678901',
    'guild:1:2',
    'channel:-1',
    'channel:١',
    'user:',
    'user:a b',
    'user:a:b',
    'user:ü',
    `user:${'a'.repeat(129)}`,
    'room:1',
    '__proto__:1',
  ])('refuses %j', (room) => {
    expect(parseRoom(room)).toBeUndefined();
  });

  it('accepts exactly what it can write back (fuzz)', () => {
    const near = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom('guild', 'channel', 'user', 'x', ''), fc.constantFrom(':', '::', ''), fc.string())
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(near, (room) => {
        const name = parseRoom(room);
        if (name !== undefined) expect(`${name.kind}:${name.id}`).toBe(room);
      }),
      { numRuns: 2000 },
    );
  });
});
