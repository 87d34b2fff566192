import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { ChannelTypes, Client, type Guild } from 'oceanic.js';
import { test } from 'vitest';
import { type StoryClient, tellStory } from '../support/story.js';

function createStoryClient(sandbox: Sandbox): StoryClient {
  const client = new Client({
    auth: `Bot ${sandbox.connection.token}`,
    gateway: {
      intents: [
        'GUILDS',
        'GUILD_MEMBERS',
        'GUILD_VOICE_STATES',
        'GUILD_MESSAGES',
        'GUILD_MESSAGE_REACTIONS',
        'MESSAGE_CONTENT',
      ],
    },
    rest: { baseURL: sandbox.connection.apiBase },
  });
  const heard: string[] = [];
  const errors: unknown[] = [];
  // Oceanic reports a cut as an error of the shard before it resumes: that one is the story's own.
  client.on('error', (error) => {
    if (!/closed|1006|ECONNRESET/i.test(String(error))) errors.push(error);
  });
  client.on('messageCreate', ({ author, content }) => heard.push(`message ${author.username}: ${content}`));
  client.on('messageUpdate', ({ content }) => heard.push(`edited ${content}`));
  client.on('messageDelete', ({ id }) => heard.push(`deleted ${id}`));
  client.on('messageReactionAdd', (_message, _reactor, { emoji }) => heard.push(`reaction ${emoji.name}`));
  client.on('voiceChannelJoin', (_member, { id }) => heard.push(`voice ${id}`));
  client.on('voiceChannelSwitch', (_member, { id }) => heard.push(`voice ${id}`));
  client.on('voiceChannelLeave', () => heard.push('voice null'));
  const guild = (): Guild => {
    const found = client.guilds.get(sandbox.guildId);
    if (found === undefined) throw new Error('no guild');
    return found;
  };
  return {
    heard,
    errors,
    async connect() {
      const ready = new Promise<void>((resolve) => client.once('ready', () => resolve()));
      await client.connect();
      await ready;
    },
    async close() {
      client.disconnect(false);
    },
    guild: () => ({
      name: guild().name,
      channels: guild()
        .channels.map(({ name }) => name)
        .sort(),
    }),
    memberNames: async () => (await guild().fetchMembers()).map(({ username }) => username),
    history: async (channelId) => (await client.rest.channels.getMessages(channelId)).map(({ content }) => content),
    send: async (channelId, content) => (await client.rest.channels.createMessage(channelId, { content })).id,
    edit: async (channelId, id, content) => void (await client.rest.channels.editMessage(channelId, id, { content })),
    delete: (channelId, id) => client.rest.channels.deleteMessage(channelId, id),
    react: (channelId, id, emoji) => client.rest.channels.createReaction(channelId, id, emoji),
    createVoiceChannel: async (name, userLimit) =>
      (await guild().createChannel(ChannelTypes.GUILD_VOICE, { name, userLimit, reason: 'a table' })).id,
    deleteChannel: async (channelId) => void (await client.rest.channels.delete(channelId)),
    moveMember: async (userId, channelId) => void (await guild().editMember(userId, { channelID: channelId })),
  };
}

test('oceanic.js', async () => {
  await using sandbox = await createSandbox({ seed: 22 });
  const client = createStoryClient(sandbox);
  try {
    await tellStory(sandbox, client);
  } finally {
    await client.close();
  }
}, 60_000);
