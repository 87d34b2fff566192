import { REST } from '@discordjs/rest';
import { WebSocketManager, WebSocketShardEvents } from '@discordjs/ws';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { type APIChannel, type APIGuildMember, type APIMessage, Routes } from 'discord-api-types/v10';
import { test } from 'vitest';
import { createEar, STORY_INTENTS, type StoryClient, tellStory } from '../support/story.js';

function createStoryClient(sandbox: Sandbox): StoryClient {
  const rest = new REST({ version: '10', api: sandbox.connection.apiBase.replace('/v10', '') });
  rest.setToken(sandbox.connection.token);
  const manager = new WebSocketManager({
    token: sandbox.connection.token,
    intents: STORY_INTENTS,
    rest,
  });
  const errors: unknown[] = [];
  const ear = createEar();
  manager.on(WebSocketShardEvents.Error, (error) => errors.push(error));
  manager.on(WebSocketShardEvents.Dispatch, ear.hear);
  const { guildId } = sandbox;
  return {
    heard: ear.heard,
    errors,
    async connect() {
      await manager.connect();
      await ear.here;
    },
    close: async () => manager.destroy(),
    guild: ear.guild,
    async memberNames() {
      const members = await rest.get(Routes.guildMembers(guildId), { query: new URLSearchParams({ limit: '100' }) });
      return (members as APIGuildMember[]).map(({ user }) => user.username);
    },
    history: async (id) => ((await rest.get(Routes.channelMessages(id))) as APIMessage[]).map(({ content }) => content),
    send: async (id, content) =>
      ((await rest.post(Routes.channelMessages(id), { body: { content } })) as APIMessage).id,
    edit: async (id, messageId, content) =>
      void (await rest.patch(Routes.channelMessage(id, messageId), { body: { content } })),
    delete: async (id, messageId) => void (await rest.delete(Routes.channelMessage(id, messageId))),
    react: async (id, messageId, emoji) =>
      void (await rest.put(Routes.channelMessageOwnReaction(id, messageId, encodeURIComponent(emoji)))),
    createVoiceChannel: async (label, userLimit) => {
      const body = { name: label, type: 2, user_limit: userLimit };
      return ((await rest.post(Routes.guildChannels(guildId), { body, reason: 'a table' })) as APIChannel).id;
    },
    deleteChannel: async (id) => void (await rest.delete(Routes.channel(id))),
    moveMember: async (userId, id) =>
      void (await rest.patch(Routes.guildMember(guildId, userId), { body: { channel_id: id } })),
  };
}

test('@discordjs/ws and @discordjs/rest', async () => {
  await using sandbox = await createSandbox({ seed: 23 });
  const client = createStoryClient(sandbox);
  try {
    await tellStory(sandbox, client);
  } finally {
    await client.close();
  }
}, 60_000);
