/** The cursor of a stream: comes back as it went, and whatever comes is no danger. */
import type { Position } from '@guildkit/core/wire';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cursorPart, joinCursor, parseCursor } from '../../src/hub/protocol/cursor.js';

const room = fc.oneof(
  fc.stringMatching(/^[0-9]{1,20}$/).map((id) => `channel:${id}`),
  fc.stringMatching(/^[A-Za-z0-9_.@|-]{1,20}$/).map((id) => `user:${id}`),
);
const epoch = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 16 }).filter((text) => text.length <= 64);

it('holds every room’s position, whatever the engine calls its epochs', () => {
  fc.assert(
    fc.property(fc.dictionary(room, fc.record({ epoch, seq: fc.nat() })), (positions) => {
      const entries = Object.entries(positions) as [string, Position][];
      const text = joinCursor(entries.map(([name, position]) => cursorPart(name, position)));
      // A header and a line of an event stream.
      expect(text).toMatch(/^[\x21-\x7e]*$/);
      expect([...parseCursor(text)]).toEqual(entries);
    }),
  );
});

it('reads what it can of anything, and never throws', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const [name, { epoch: life, seq }] of parseCursor(text)) {
        expect(name).toMatch(/^(guild|channel|user):/);
        expect(life.length).toBeGreaterThan(0);
        expect(Number.isSafeInteger(seq)).toBe(true);
      }
    }),
  );
  const good = 'channel:1,e,4';
  for (const bad of [
    '',
    ';',
    'channel:1',
    'channel:x,e,4',
    'channel:1,,4',
    'channel:1,e,-4',
    'channel:1,%,4',
    'channel:1,e,4,5',
  ]) {
    expect([...parseCursor(bad)]).toEqual([]);
    expect([...parseCursor(`${bad};${good}`)]).toEqual([['channel:1', { epoch: 'e', seq: 4 }]]);
  }
  expect([...parseCursor(`${good};${'x'.repeat(20_000)}`)]).toEqual([]);
});
