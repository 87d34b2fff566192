import type { DomainEvent } from '@guildkit/core';
import { expect, test } from 'vitest';
import { createEventSink } from '../../src/server/event-sink.js';

const GUILD = '7';
const joined = (id: string) => ({ event: 'voice.joined', id, payload: { guildId: GUILD } }) as unknown as DomainEvent;
const snapshot = (id: string, guildId: string) =>
  ({ event: 'voice.snapshot', id, payload: { guildId, members: [], channels: [] } }) as unknown as DomainEvent;

function setUp() {
  const heard: string[] = [];
  const outcomes: string[] = [];
  const note = (who: string) => (event: DomainEvent) => void heard.push(`${who} ${event.id}`);
  const sink = createEventSink({
    guildId: GUILD,
    directory: { apply: note('directory') },
    people: { apply: note('people') },
    rooms: { applyEvent: note('rooms') },
    metrics: { countDomainEvent: note('metrics') },
    chat: { incoming: (event) => event },
    hub: {
      publishDiscordEvent: async (event) => {
        heard.push(`hub ${event.id}`);
        return (outcomes.shift() ?? 'published') as 'published';
      },
    },
    onWhole: () => heard.push('whole'),
  });
  return { sink, heard, outcomes };
}

test('every part hears of an event once, the directory first, the hub last', async () => {
  const { sink, heard } = setUp();
  await sink(joined('a'));
  expect(await sink(joined('a'))).toBe('known');
  expect(heard).toEqual(['directory a', 'people a', 'rooms a', 'metrics a', 'hub a']);
});

test('what failed is taken when it comes again', async () => {
  const { sink, heard, outcomes } = setUp();
  outcomes.push('failed');
  expect(await sink(joined('a'))).toBe('failed');
  expect(await sink(joined('a'))).toBe('published');
  expect(heard.filter((line) => line === 'hub a')).toHaveLength(2);
});

test('the whole of this server, once published, is told of; that of another is not', async () => {
  const { sink, heard, outcomes } = setUp();
  outcomes.push('failed');
  await sink(snapshot('s1', GUILD));
  await sink(snapshot('s2', '8'));
  expect(heard).not.toContain('whole');
  await sink(snapshot('s3', GUILD));
  expect(heard.at(-1)).toBe('whole');
});
