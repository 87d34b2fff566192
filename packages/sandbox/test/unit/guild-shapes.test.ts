import { expect, test } from 'vitest';
import { GuildShapes } from '../../src/protocol/gateway/guild-shapes.js';
import type { Session } from '../../src/protocol/gateway/session.js';
import { addBot } from '../../src/protocol/world/members.js';
import { addGuild, addUser, createWorld } from '../../src/protocol/world/world.js';

test('sessions that see the same share one GUILD_CREATE, until the world changes', () => {
  const world = createWorld(1);
  const owner = addUser(world, { username: 'owner', avatar: null, bot: false });
  const guild = addGuild(world, { name: 'g', ownerId: owner.id, joinedAt: '' });
  const bots = ['a', 'b'].map((name) => addBot(world, guild, { name, joinedAt: '', privilegedIntents: 0 }).bot.id);
  const session = (botId: string | undefined, intents: number, largeThreshold = 50): Session => ({
    id: 's',
    botId: botId ?? '',
    intents,
    shard: undefined,
    largeThreshold,
    seq: 0,
  });
  const shapes = new GuildShapes(world);
  const first = shapes.of(guild, session(bots[0], 1));
  expect(shapes.of(guild, session(bots[0], 1 | 128))).toBe(first);
  for (const other of [session(bots[1], 1), session(bots[0], 1 | 256), session(bots[0], 1, 60)]) {
    expect(shapes.of(guild, other)).not.toBe(first);
  }
  guild.name = 'renamed';
  shapes.changed();
  expect([first.name, shapes.of(guild, session(bots[0], 1)).name]).toEqual(['g', 'renamed']);
});
