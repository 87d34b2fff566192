/**
 * Seyfert's socket takes the host alone from the gateway's address, and speaks TLS to the default port: so the sandbox
 * has a certificate, and Node is told to trust its authority and which port is the default.
 */
import { globalAgent } from 'node:https';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { trustAuthority } from '@guildkit/testkit';
import { type GatewayDispatchPayload, GatewayIntentBits } from 'discord-api-types/v10';
import { ApiHandler, Client, Logger } from 'seyfert';
import { afterEach, test } from 'vitest';
import { createEar, STORY_INTENTS, type StoryClient, tellStory } from '../support/story.js';

const agent = globalAgent as unknown as { defaultPort: number };
const defaultPort = agent.defaultPort;
let distrust: (() => void) | undefined;
afterEach(() => {
  agent.defaultPort = defaultPort;
  distrust?.();
});

// It logs the cut.
Logger.customize(() => undefined);

/** Its name for the GUILD_CREATE of a guild that READY announced. */
const FIRST_GUILD = 'RAW_GUILD_CREATE';

function createStoryClient(sandbox: Sandbox): StoryClient {
  const { connection, guildId } = sandbox;
  const { token } = connection;
  const errors: unknown[] = [];
  const ear = createEar();
  const intents = STORY_INTENTS | GatewayIntentBits.GuildMembers;
  let ready: () => void = () => {};
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const client = new Client({
    getRC: () => ({ token, intents, locations: { base: '' }, debug: false }),
    resharding: { interval: 0, percentage: 0 },
    gateway: { compress: true },
    async handlePayload(_shardId, packet) {
      const name = String(packet.t);
      if (name === 'GUILDS_READY') ready();
      ear.hear({ ...packet, t: name === FIRST_GUILD ? 'GUILD_CREATE' : name } as GatewayDispatchPayload);
    },
  });
  client.setServices({ rest: new ApiHandler({ token, domain: new URL(connection.apiBase).origin }) });
  client.events.onFail = (_event, error) => void errors.push(error);
  return {
    heard: ear.heard,
    errors,
    async connect() {
      await client.start();
      await isReady;
    },
    async close() {
      client.gateway.disconnectAll();
    },
    guild() {
      const channels = client.cache.channels?.valuesRaw(guildId) as { name: string }[] | undefined;
      const guild = client.cache.guilds?.raw(guildId) as { name: string } | undefined;
      return { name: guild?.name ?? '', channels: (channels ?? []).map(({ name }) => name).sort() };
    },
    memberNames: async () =>
      (await client.members.list(guildId, { limit: 100 }, true)).map(({ user }) => user.username),
    history: async (id) => (await client.messages.list(id, {})).map(({ content }) => content),
    send: async (id, content) => (await client.messages.write(id, { content })).id,
    edit: async (id, messageId, content) => void (await client.messages.edit(messageId, id, { content })),
    delete: async (id, messageId) => void (await client.messages.delete(messageId, id)),
    react: async (id, messageId, emoji) => void (await client.reactions.add(messageId, id, emoji)),
    createVoiceChannel: async (name, userLimit) =>
      (await client.guilds.channels.create(guildId, { name, type: 2, user_limit: userLimit } as never)).id,
    deleteChannel: async (id) => void (await client.channels.delete(id)),
    moveMember: async (userId, id) => void (await client.members.edit(guildId, userId, { channel_id: id })),
  };
}

test('seyfert', async () => {
  await using sandbox = await createSandbox({ seed: 25, tls: true });
  agent.defaultPort = Number(new URL(sandbox.gatewayUrl).port);
  distrust = trustAuthority(sandbox.certificate);
  const client = createStoryClient(sandbox);
  try {
    await tellStory(sandbox, client);
  } finally {
    await client.close();
  }
}, 60_000);
