/** The limits of sending against a server that counts: whoever exceeds them is cut off with 4008. */
import { DiscordGatewayClient } from '@guildkit/gateway';
import { createSandbox } from '@guildkit/sandbox';
import { afterEach, expect, test } from 'vitest';
import { fastClock } from '../support/fast-clock.js';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test('300 payloads and as many presences as one likes go out without the connection being cut off', async () => {
  // Both sides on one clock, so that a minute is the same.
  const clock = fastClock(60);
  const sandbox = await createSandbox({ clock });
  cleanups.push(() => sandbox.close());
  const changes: string[] = [];
  const client = new DiscordGatewayClient({
    ...sandbox.connection,
    intents: ['Guilds', 'GuildVoiceStates'],
    clock,
    sendTimeoutMs: 600_000,
  });
  cleanups.push(() => client.close());
  await client.connect();
  client.on('stateChange', ({ from, to, code }) => changes.push(`${from} ${to} ${code}`));
  const { guildId, voiceChannelId: channelId } = sandbox;
  const voiceStates = Array.from({ length: 300 }, (_, index) =>
    client.updateVoiceState({ guildId, channelId, selfMute: index % 2 === 0, selfDeaf: false }),
  );
  const presences = Array.from({ length: 50 }, (_, index) =>
    client.updatePresence({
      since: null,
      activities: [{ name: `${index}`, type: 0 }],
      status: 'online',
      afk: false,
    } as never),
  );
  await Promise.all([...voiceStates, ...presences]);
  expect(changes).toEqual([]);
  const { counters } = sandbox.traffic;
  expect(counters).toMatchObject({ gatewayConnections: 1, identifies: 1, badFrames: 0 });
  // Two minutes and more have passed: heartbeats had their place among them.
  expect(counters.heartbeats).toBeGreaterThan(1);
});

test('a server that counts more strictly than it says is survived: what was not sent yet is sent after the resume', async () => {
  const clock = fastClock(60);
  const sandbox = await createSandbox({ clock, rateLimits: 0.5 });
  cleanups.push(() => sandbox.close());
  const client = new DiscordGatewayClient({
    ...sandbox.connection,
    intents: ['Guilds', 'GuildVoiceStates'],
    clock,
    sendTimeoutMs: 600_000,
  });
  cleanups.push(() => client.close());
  await client.connect();
  const resumed = new Promise((resolve) => client.once('resumed', resolve));
  const { guildId, voiceChannelId: channelId } = sandbox;
  const sends = Array.from({ length: 130 }, () =>
    client.updateVoiceState({ guildId, channelId, selfMute: true, selfDeaf: false }),
  );
  expect((await Promise.allSettled(sends)).map(({ status }) => status)).toEqual(Array(130).fill('fulfilled'));
  await resumed;
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumesRefused: 0 });
});
