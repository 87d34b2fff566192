import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { ChannelType, Client, Events, GatewayIntentBits, type Guild, type GuildTextBasedChannel } from 'discord.js';
import { expect, test } from 'vitest';
import { type StoryClient, tellStory } from '../support/story.js';

function createStoryClient(sandbox: Sandbox): StoryClient {
  const client = new Client({
    intents: [
      GatewayIntentBits.Guilds,
      GatewayIntentBits.GuildMembers,
      GatewayIntentBits.GuildVoiceStates,
      GatewayIntentBits.GuildMessages,
      GatewayIntentBits.GuildMessageReactions,
      GatewayIntentBits.MessageContent,
    ],
    rest: { api: sandbox.connection.apiBase.replace('/v10', '') },
  });
  const heard: string[] = [];
  const errors: unknown[] = [];
  client.on(Events.Error, (error) => errors.push(error));
  client.on(Events.ShardError, (error) => errors.push(error));
  client.on(Events.MessageCreate, ({ author, content }) => heard.push(`message ${author.username}: ${content}`));
  client.on(Events.MessageUpdate, (_from, { content }) => heard.push(`edited ${content}`));
  client.on(Events.MessageDelete, ({ id }) => heard.push(`deleted ${id}`));
  client.on(Events.MessageReactionAdd, ({ emoji }) => heard.push(`reaction ${emoji.name}`));
  client.on(Events.VoiceStateUpdate, (_from, { channelId }) => heard.push(`voice ${channelId}`));
  const guild = (): Guild => {
    const found = client.guilds.cache.get(sandbox.guildId);
    if (found === undefined) throw new Error('no guild');
    return found;
  };
  const text = (channelId: string) => guild().channels.cache.get(channelId) as GuildTextBasedChannel;
  return {
    heard,
    errors,
    async connect() {
      const ready = new Promise((resolve) => client.once(Events.ClientReady, resolve));
      await client.login(sandbox.connection.token);
      await ready;
    },
    close: () => client.destroy(),
    guild: () => ({
      name: guild().name,
      channels: guild()
        .channels.cache.map(({ name }) => name)
        .sort(),
    }),
    memberNames: async () => (await guild().members.fetch()).map(({ user }) => user.username),
    history: async (channelId) => (await text(channelId).messages.fetch()).map(({ content }) => content),
    send: async (channelId, content) => (await text(channelId).send(content)).id,
    edit: async (channelId, id, content) => void (await text(channelId).messages.edit(id, content)),
    delete: async (channelId, id) => text(channelId).messages.delete(id),
    react: async (channelId, id, emoji) => text(channelId).messages.react(id, emoji),
    createVoiceChannel: async (name, userLimit) =>
      (await guild().channels.create({ name, userLimit, type: ChannelType.GuildVoice, reason: 'a table' })).id,
    deleteChannel: async (channelId) => guild().channels.delete(channelId),
    moveMember: async (userId, channelId) =>
      void (await (await guild().members.fetch(userId)).voice.setChannel(channelId)),
  };
}

test('discord.js 14', async () => {
  await using sandbox = await createSandbox({ seed: 21 });
  const client = createStoryClient(sandbox);
  try {
    await tellStory(sandbox, client);
    expect(sandbox.traffic.counters.restRateLimited).toBe(0);
  } finally {
    await client.close();
  }
}, 60_000);
