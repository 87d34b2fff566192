import type { DomainEvent } from '@guildkit/core';
import { expect, test } from 'vitest';
import { createEventSink } from '../../src/server/event-sink.js';

const GUILD = '7';
const joined = (id: string) => ({ event: 'voice.joined', id, payload: { guildId: GUILD } }) as unknown as DomainEvent;
const snapshot = (id: string, guildId: string) =>
  ({ event: 'voice.snapshot', id, payload: { guildId, members: [], channels: [] } }) as unknown as DomainEvent;

function setUp(before?: (event: DomainEvent) => Promise<void>) {
  const heard: string[] = [];
  const outcomes: string[] = [];
  const lines: [string, object][] = [];
  const note = (who: string) => (event: DomainEvent) => void heard.push(`${who} ${event.id}`);
  const sink = createEventSink({
    guildId: GUILD,
    directory: { apply: note('directory') },
    people: { apply: note('people') },
    rooms: { applyEvent: note('rooms') },
    metrics: { countDomainEvent: note('metrics') },
    chat: { incoming: (event) => event },
    before,
    hub: {
      publishDiscordEvent: async (event) => {
        heard.push(`hub ${event.id}`);
        return (outcomes.shift() ?? 'published') as 'published';
      },
    },
    onWhole: () => heard.push('whole'),
    logger: {
      info: (fields: object) => void lines.push(['info', fields]),
      debug: (fields: object) => void lines.push(['debug', fields]),
      warn: (fields: object) => void lines.push(['warn', fields]),
    },
  });
  return { sink, heard, outcomes, lines };
}

test('every part hears of an event once, the directory first, the hub last; the hub again when it comes again', async () => {
  const { sink, heard, outcomes } = setUp();
  await sink(joined('a'));
  outcomes.push('duplicate');
  expect(await sink(joined('a'))).toBe('duplicate');
  expect(heard).toEqual(['directory a', 'people a', 'rooms a', 'metrics a', 'hub a', 'hub a']);
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

test('each event is one line with its trace id and without what people wrote: of voice at INFO, of chat at DEBUG', async () => {
  const { sink, lines } = setUp();
  const facts = {
    traceId: 't-1',
    payload: { guildId: GUILD, channelId: '1', userId: '2', username: 'Eve\n', content: 'hi' },
  };
  await sink({ ...facts, event: 'voice.left', id: 'a' } as unknown as DomainEvent);
  await sink({ ...facts, event: 'message.created', id: 'b' } as unknown as DomainEvent);
  await sink({ ...snapshot('c', GUILD), traceId: 't-1' });
  const same = { traceId: 't-1', guildId: GUILD, outcome: 'published' };
  expect(lines).toEqual([
    ['info', { ...same, event: 'voice.left', eventId: 'a', channelId: '1', userId: '2' }],
    ['debug', { ...same, event: 'message.created', eventId: 'b', channelId: '1', userId: '2' }],
    ['info', { ...same, event: 'voice.snapshot', eventId: 'c', members: 0 }],
  ]);
});

test('what has to be done before comes before the hub, in order; when it fails the event has', async () => {
  const done: string[] = [];
  let fails = 1;
  const { sink, heard } = setUp(async ({ id }) => {
    // The first takes longer: it is not overtaken.
    if (id === 'a') await new Promise((resolve) => setTimeout(resolve, 5));
    if (id === 'b' && fails-- > 0) throw new Error('Redis is away');
    done.push(id);
  });
  expect(await Promise.all(['a', 'b', 'c'].map((id) => sink(joined(id))))).toEqual([
    'published',
    'failed',
    'published',
  ]);
  expect([done, heard.filter((line) => line.startsWith('hub'))]).toEqual([
    ['a', 'c'],
    ['hub a', 'hub c'],
  ]);
  expect(await sink(joined('b'))).toBe('published');
});
