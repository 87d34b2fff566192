import { createGatewayManager } from '@discordeno/gateway';
import { createRestManager } from '@discordeno/rest';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import type { GatewayDispatchPayload } from 'discord-api-types/v10';
import { test } from 'vitest';
import { createEar, STORY_INTENTS, type StoryClient, tellStory } from '../support/story.js';

const ignore = (): void => undefined;
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore, fatal: ignore };

function createStoryClient(sandbox: Sandbox): StoryClient {
  const { connection, guildId } = sandbox;
  const rest = createRestManager({ token: connection.token, applicationId: sandbox.oauth.clientId, logger: SILENT });
  // Its `proxy` option turns its own limiter off: only the base is changed.
  rest.baseUrl = connection.apiBase.replace('/v10', '');
  rest.isProxied = false;
  const errors: unknown[] = [];
  const ear = createEar();
  const manager = createGatewayManager({
    token: connection.token,
    url: sandbox.gatewayUrl,
    intents: STORY_INTENTS,
    preferSnakeCase: true,
    logger: SILENT,
    connection: {
      url: sandbox.gatewayUrl,
      shards: 1,
      sessionStartLimit: { total: 1_000, remaining: 1_000, resetAfter: 86_400_000, maxConcurrency: 1 },
    },
    resharding: { enabled: false, checkInterval: -1, shardsFullPercentage: 80 },
    events: {
      message: (_shard, payload) => {
        if (payload.op === 0) ear.hear(payload as unknown as GatewayDispatchPayload);
      },
    },
  });
  const ask = async <T>(
    method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE',
    path: string,
    body?: unknown,
  ): Promise<T> =>
    (await rest.makeRequest(method, path as `/${string}`, body === undefined ? {} : { body: body as never })) as T;
  return {
    heard: ear.heard,
    errors,
    async connect() {
      await manager.spawnShards();
      await ear.here;
    },
    close: () => manager.shutdown(1_000, 'done'),
    guild: ear.guild,
    memberNames: async () =>
      (await ask<{ user: { username: string } }[]>('GET', `/guilds/${guildId}/members?limit=100`)).map(
        ({ user }) => user.username,
      ),
    history: async (id) =>
      (await ask<{ content: string }[]>('GET', `/channels/${id}/messages`)).map(({ content }) => content),
    send: async (id, content) => (await ask<{ id: string }>('POST', `/channels/${id}/messages`, { content })).id,
    edit: (id, messageId, content) => ask('PATCH', `/channels/${id}/messages/${messageId}`, { content }),
    delete: (id, messageId) => ask('DELETE', `/channels/${id}/messages/${messageId}`),
    react: (id, messageId, emoji) =>
      ask('PUT', `/channels/${id}/messages/${messageId}/reactions/${encodeURIComponent(emoji)}/@me`),
    createVoiceChannel: async (label, userLimit) =>
      (await ask<{ id: string }>('POST', `/guilds/${guildId}/channels`, { name: label, type: 2, userLimit })).id,
    deleteChannel: (id) => ask('DELETE', `/channels/${id}`),
    moveMember: (userId, id) => ask('PATCH', `/guilds/${guildId}/members/${userId}`, { channelId: id }),
  };
}

test('discordeno', async () => {
  await using sandbox = await createSandbox({ seed: 24 });
  const client = createStoryClient(sandbox);
  try {
    await tellStory(sandbox, client);
  } finally {
    await client.close();
  }
}, 60_000);
