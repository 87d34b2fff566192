/** The client against the sandbox, with the sandbox's rate limits on. */
import { DiscordApiError, DiscordRestClient, type ResponseEvent } from '@guildkit/rest';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let sandbox: Sandbox;
let rest: DiscordRestClient;

beforeEach(async () => {
  sandbox = await createSandbox({ seed: 1 });
  rest = new DiscordRestClient(sandbox.connection);
});
afterEach(async () => {
  await rest.close();
  await sandbox.close();
});

describe('voice channels', () => {
  test('are created, listed and deleted', async () => {
    const channel = await rest.createVoiceChannel({ name: 'Table 1', userLimit: 4 }, { reason: 'eine Runde ☕' });
    expect(channel).toMatchObject({ name: 'Table 1', type: 2, user_limit: 4, guild_id: sandbox.guildId });
    expect((await rest.getChannels()).map(({ id }) => id)).toContain(channel.id);
    await rest.deleteChannel(channel.id, { reason: 'over' });
    expect((await rest.getChannels()).map(({ id }) => id)).not.toContain(channel.id);
  });

  test('the positional form makes the same', async () => {
    expect(await rest.createVoiceChannel('Table 2', undefined, 3)).toMatchObject({ name: 'Table 2', user_limit: 3 });
  });

  test('a channel that is gone is Discord’s error 10003', async () => {
    const error = await rest.deleteChannel('100000000000000009').catch((thrown: unknown) => thrown);
    if (!DiscordApiError.is(error)) throw error;
    expect(error).toMatchObject({ status: 404, discordCode: 10_003, method: 'DELETE', route: '/channels/:id' });
  });
});

describe('limits', () => {
  test('a burst of 50 on a cold route meets no 429', async () => {
    const responses: ResponseEvent[] = [];
    rest.on('response', (event) => responses.push(event));
    // Ten a second: the last ten go out four seconds after the first.
    await Promise.all(Array.from({ length: 50 }, () => rest.request('GET', '/gateway')));
    expect(sandbox.traffic.counters.restRateLimited).toBe(0);
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
  }, 60_000);

  test('a burst past the global limit meets no 429', async () => {
    await Promise.all(
      Array.from({ length: 120 }, (_, n) => rest.getChannel(`10000000000000${1_000 + n}`).catch(() => {})),
    );
    expect(sandbox.traffic.counters.restRateLimited).toBe(0);
  }, 60_000);
});

describe('authorization', () => {
  test('a wrong token is a typed error that does not print it', async () => {
    const token = 'MTAwMDAwMDAwMDAwMDAwMDAx.wrong.token';
    const stranger = new DiscordRestClient({ ...sandbox.connection, token });
    const error = await stranger.getChannels().catch((thrown: unknown) => thrown);
    await stranger.close();
    if (!DiscordApiError.is(error)) throw error;
    expect(error).toMatchObject({ code: 'ERR_REST_TOKEN_REFUSED', status: 401 });
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain(token);
  });

  test('the client works on after a 401 of another', async () => {
    expect(await rest.request('GET', '/users/@me')).toMatchObject({ bot: true });
  });
});
