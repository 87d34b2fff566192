/** A start while Discord's REST does not answer: which channels are private rooms is not known then. */
import { silentLogger } from '@guildkit/core';
import { createSandbox } from '@guildkit/sandbox';
import { expect, test } from 'vitest';
import { createApp } from '../../src/server/app.js';
import { readSettings } from '../../src/server/settings.js';

test('a room of before is nobody’s open channel, and is found once Discord answers', async () => {
  await using discord = await createSandbox({ rateLimits: false });
  const { token, apiBase, guildId } = discord.connection;
  const settings = readSettings({
    DISCORD_BOT_TOKEN: token,
    DISCORD_API_BASE: apiBase,
    PRIMARY_GUILD_ID: guildId,
    DISCORD_CLIENT_ID: discord.oauth.clientId,
    DISCORD_CLIENT_SECRET: discord.oauth.clientSecret,
  });
  const start = () => createApp({ settings, logger: silentLogger, origin: () => 'http://localhost:3000' });
  const [host, stranger] = [
    await discord.people.create({ name: 'Host' }),
    await discord.people.create({ name: 'Stranger' }),
  ];
  const before = await start();
  const { channelId } = await before.rooms.create({ creatorId: host.id, name: 'Private' });
  await before.close();

  discord.faults.disturbRest({ answer: 400, path: '/guilds' });
  const app = await start();
  try {
    await expect.poll(() => app.directory.knows(channelId)).toBe(true);
    expect(await app.maySee(stranger.id, channelId)).toBe(false);
    expect(await app.maySee(stranger.id, discord.voiceChannelId)).toBe(false);
    discord.faults.clear();
    await expect
      .poll(() => app.maySee(stranger.id, discord.voiceChannelId), { timeout: 30_000, interval: 100 })
      .toBe(true);
    expect(await app.maySee(host.id, channelId)).toBe(true);
    expect(await app.maySee(stranger.id, channelId)).toBe(false);
  } finally {
    await app.close();
  }
});
