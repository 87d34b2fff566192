/** The reader of event streams, beside a library's. */
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventStreamReader } from '../../src/protocol/event-stream.js';

function ours(pieces: readonly string[]): string[] {
  const found: string[] = [];
  const feed = createEventStreamReader((data) => found.push(data));
  for (const piece of pieces) feed(piece);
  return found;
}

function theirs(pieces: readonly string[]): string[] {
  const found: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => found.push(data) });
  for (const piece of pieces) parser.feed(piece);
  return found;
}

/** Cuts a text at the given places. */
function cut(text: string, places: readonly number[]): string[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => text.slice(from, at[index] ?? text.length));
}

describe('createEventStreamReader', () => {
  it.each([
    ['data: a\n\n', ['a']],
    ['data:a\r\n\r\ndata:  b\r\r\n', ['a', ' b']],
    ['data: a\ndata: b\n\n', ['a\nb']],
    ['data\n\n', ['']],
    ['data: a\ndata\n\n', ['a\n']],
    [': ping\n\nid: 7\nevent: x\nretry: 5\ndata: a\n\n', ['a']],
    ['id: 7\n\n', []],
    ['database: a\n\n', []],
    ['data: unfinished\n', []],
    ['\n\n\n', []],
    ['data: a\u2028b\n\n', ['a\u2028b']],
  ])('reads %j', (text, events) => {
    expect(ours([text])).toEqual(events);
    expect(ours([...text])).toEqual(events);
  });

  it('reads what a library reads, wherever the pieces end', () => {
    const line = fc.oneof(
      fc.constantFrom('', '', 'data', 'data:', 'data: ', ': c', 'id: 1', 'event: e', 'retry: 1', 'unknown: 1', 'dat'),
      fc.string({ maxLength: 6 }).map((text) => `data: ${text.replace(/[\r\n\0\ufeff]/g, '')}`),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 12 }),
        fc.array(fc.nat(200), { maxLength: 8 }),
        (lines, places) => {
          // The library takes a lone CR at the very end for a line's end at once; ours waits for what follows.
          const text = `${lines.flat().join('')}:\n\n`;
          expect(ours(cut(text, places))).toEqual(theirs([text]));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
