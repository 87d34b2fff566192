import { GatewayDispatchEvents as E } from 'discord-api-types/v10';
import { expect, test } from 'vitest';
import { address } from '../../src/protocol/gateway/audience.js';
import type { Session } from '../../src/protocol/gateway/session.js';
import { shardOf } from '../../src/protocol/snowflake.js';
import { type WorldEvent, worldEvent } from '../../src/protocol/world/events.js';

const GUILD = '1191169165906411525';
const MESSAGE_CONTENT = 32_768;
const session = (over: Partial<Session> = {}): Session => ({
  id: 's',
  botId: 'a',
  intents: 0,
  shard: undefined,
  largeThreshold: 50,
  seq: 1,
  ...over,
});
const created = (over: Partial<WorldEvent> = {}): WorldEvent => ({
  ...worldEvent(E.MessageCreate, GUILD, { content: 'secret' } as never),
  ...over,
});

test('a dispatch goes to the shard of its guild, and to shard 0 from outside of guilds', () => {
  const inGuild = address(created());
  const direct = address(created({ guildId: '' }));
  for (const count of [1, 2, 5]) {
    const shards = Array.from({ length: count }, (_, id) => session({ shard: [id, count] }));
    const reached = (to: typeof inGuild) => shards.flatMap((it, id) => (to(it) === undefined ? [] : [id]));
    expect(reached(inGuild)).toEqual([shardOf(GUILD, count)]);
    expect(reached(direct)).toEqual([0]);
  }
  expect(inGuild(session())?.needs).toBe(512);
  expect(direct(session())?.needs).toBe(4096);
});

test('what a message says is for those with the intent, and for whom it concerns', () => {
  const event = created({ withoutContent: { data: { content: '' } as never, except: ['b'] } });
  const textFor = (over: Partial<Session>) => address(event)(session(over))?.event.json;
  expect(textFor({})).toBe('{"content":""}');
  expect(textFor({ intents: MESSAGE_CONTENT })).toBe('{"content":"secret"}');
  expect(textFor({ botId: 'b' })).toBe('{"content":"secret"}');
  // One text for all that see the same.
  const to = address(event);
  expect(to(session())?.event).toBe(to(session({ id: 'other' }))?.event);
});

test('only the bots that may see it; a bot is told of itself without the intent', () => {
  const hidden = address(created({ botIds: ['b'] }));
  expect([hidden(session()), hidden(session({ botId: 'b' }))?.event.name]).toEqual([undefined, 'MESSAGE_CREATE']);
  const update = address(worldEvent(E.GuildMemberUpdate, GUILD, { user: { id: 'a' } } as never));
  expect([update(session())?.needs, update(session({ botId: 'b' }))?.needs]).toEqual([0, 2]);
});
