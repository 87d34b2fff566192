import { Redacted, silentLogger } from '@guildkit/core';
import { signWebhook } from '@guildkit/server-kit/hmac';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createDiscordFeed } from '../../src/server/discord-feed.js';
import type { DiscordFeed } from '../../src/server/feed.js';
import { noNotes } from '../../src/server/notes.js';

const SECRET = 'a-secret-of-32-characters-or-more-for-tests';
const told: string[] = [];
let feed: DiscordFeed;

beforeEach(() => {
  vi.useFakeTimers();
  told.length = 0;
  feed = createDiscordFeed({
    topology: { kind: 'webhook', secrets: [new Redacted(SECRET)] },
    connection: { token: 'a.bot.token', guildId: '100000000000000001', apiBase: undefined },
    sink: async () => 'published',
    onAway: () => told.push('away'),
    onBack: () => told.push('back'),
    stores: { shared: undefined, notes: noNotes },
    stateDirectory: undefined,
    isHeard: () => false,
    logger: silentLogger,
  });
});

afterEach(async () => {
  await feed.close();
  vi.useRealTimers();
});

let seq = 0;
async function post(secrets = SECRET): Promise<number> {
  seq += 1;
  const payload = { guildId: '100000000000000001', channelId: '10', name: 'Table 1' };
  const event = { id: `e${seq}`, event: 'channel.created', payload, ts: Date.now(), epoch: 'e', seq, traceId: 't' };
  const body = JSON.stringify(event);
  const headers = signWebhook(body, { secrets });
  const answer = await feed.receive?.(new Request('http://app/', { method: 'POST', body, headers }));
  return answer?.status ?? 0;
}

test('a worker that has not come yet, or is away for ten seconds, is told of; so is its return', async () => {
  await feed.start();
  await vi.advanceTimersByTimeAsync(1);
  expect([feed.state(), ...told]).toEqual(['connecting', 'away']);

  expect(await post()).toBe(200);
  expect([feed.state(), ...told]).toEqual(['ready', 'away', 'back']);
  for (let n = 0; n < 5; n += 1) {
    await vi.advanceTimersByTimeAsync(9_000);
    await post();
  }
  expect(told).toEqual(['away', 'back']);

  await vi.advanceTimersByTimeAsync(10_000);
  expect([feed.state(), ...told]).toEqual(['connecting', 'away', 'back', 'away']);
  await post();
  expect([feed.state(), ...told]).toEqual(['ready', 'away', 'back', 'away', 'back']);
});

test('what is not signed is no sign of a worker', async () => {
  await feed.start();
  await vi.advanceTimersByTimeAsync(1);
  expect(await post('another-secret-of-32-characters-or-more')).toBe(401);
  expect([feed.state(), ...told]).toEqual(['connecting', 'away']);
});
