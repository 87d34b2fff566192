import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { readSettings, SettingsError } from '../../src/server/settings.js';

const TOKEN = 'MTE5NDU2.Gh1jKl.abcdefghijklmnopqrstuvwxyz0123456789AB';
const PRODUCTION = {
  NODE_ENV: 'production',
  DISCORD_BOT_TOKEN: TOKEN,
  PRIMARY_GUILD_ID: '123456789012345678',
  VITE_BASE_URL: 'https://rooms.example.org',
  SESSION_SECRET: 'x'.repeat(32),
  INVITE_SECRET: 'y'.repeat(32),
  DISCORD_CLIENT_ID: '123456789012345678',
  DISCORD_CLIENT_SECRET: 'z'.repeat(32),
};

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readSettings(env);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

describe('settings', () => {
  test('nothing set: the sandbox, on this machine alone', () => {
    const settings = readSettings({});
    expect(settings).toMatchObject({
      discord: undefined,
      host: '127.0.0.1',
      port: 3000,
      portFixed: false,
      maxReconnectAttempts: 5,
    });
    expect(settings.sessionSecrets[0]?.reveal()).toHaveLength(64);
  });

  test('production refuses to start without what people depend on, and names all of it', () => {
    const problems = problemsOf({ NODE_ENV: 'production' });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'DISCORD_BOT_TOKEN',
      'DISCORD_CLIENT_ID',
      'DISCORD_CLIENT_SECRET',
      'PRIMARY_GUILD_ID',
      'VITE_BASE_URL',
      'SESSION_SECRET',
      'INVITE_SECRET',
    ]);
    for (const problem of problems) expect(problem).toMatch(/is missing.* (Copy|Set) /);
    expect(problemsOf(PRODUCTION)).toEqual([]);
  });

  test('a token needs its server, and an application to log in to', () => {
    expect(problemsOf({ DISCORD_BOT_TOKEN: TOKEN }).map((problem) => problem.split(' ')[0])).toEqual([
      'PRIMARY_GUILD_ID',
      'DISCORD_CLIENT_ID',
      'DISCORD_CLIENT_SECRET',
    ]);
  });

  test('the bots that speak for players: as many as tokens, which are in no text', () => {
    expect(readSettings({}).seats).toEqual({ tokens: [], roleId: undefined });
    const { seats } = readSettings({
      DISCORD_SEAT_TOKENS: `${TOKEN}a, ${TOKEN}b`,
      DISCORD_SEAT_ROLE_ID: '123456789012345678',
    });
    expect(seats.tokens.map((token) => token.reveal())).toEqual([`${TOKEN}a`, `${TOKEN}b`]);
    expect(seats.roleId).toBe('123456789012345678');
    expect(inspect(seats, { depth: 9 }) + JSON.stringify(seats)).not.toContain(TOKEN);
  });

  test.each([
    ['DISCORD_BOT_TOKEN', `Bot ${TOKEN}`],
    ['DISCORD_SEAT_TOKENS', `${TOKEN},`],
    ['DISCORD_SEAT_ROLE_ID', '@players'],
    ['PRIMARY_GUILD_ID', 'my server'],
    ['DISCORD_API_BASE', 'api.invalid/v10'],
    ['PORT', '70000'],
    ['PORT', '80a'],
    ['VITE_BASE_URL', 'games.invalid'],
    ['LOG_LEVEL', 'loud'],
    ['SESSION_SECRET', 'short'],
    ['JWT_PRIVATE_JWK', '{'],
    ['JWT_PRIVATE_JWK', '{"kty":"EC"}'],
    ['MAX_WS_RECONNECT_ATTEMPTS', '0'],
  ])('a malformed %s names itself and its remedy, never its value', (name, value) => {
    const problems = problemsOf({ ...PRODUCTION, [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name} is malformed\\. \\w+`));
    if (value.length > 3) expect(problems[0]).not.toContain(value);
  });

  test('an empty variable counts as not set', () => {
    expect(readSettings({ DISCORD_BOT_TOKEN: ' ', PORT: '' })).toMatchObject({ discord: undefined, portFixed: false });
  });

  test('several secrets: the first signs, all verify', () => {
    const { sessionSecrets } = readSettings({ SESSION_SECRET: `${'n'.repeat(32)}, ${'o'.repeat(32)}` });
    expect(sessionSecrets.map((secret) => secret.reveal())).toEqual(['n'.repeat(32), 'o'.repeat(32)]);
  });

  test('printed settings show no secret', () => {
    const settings = readSettings({ ...PRODUCTION, JWT_PRIVATE_JWK: '{"kty":"EC","d":"the-private-part"}' });
    const shown = `${JSON.stringify(settings)} ${inspect(settings, { depth: 9 })}`;
    for (const secret of [TOKEN, PRODUCTION.SESSION_SECRET, 'the-private-part']) expect(shown).not.toContain(secret);
  });

  test('several processes: what one seals the others open, and no worker is linked to them', () => {
    const missing = problemsOf({ REDIS_URL: 'redis://127.0.0.1' });
    expect(missing.map((problem) => problem.split(' ')[0]).sort()).toEqual([
      'DISCORD_BOT_TOKEN',
      'INVITE_SECRET',
      'JWT_PRIVATE_JWK',
      'SESSION_SECRET',
      'VITE_BASE_URL',
    ]);
    for (const problem of missing) expect(problem).toMatch(/with REDIS_URL every process needs the same.* (Copy|Set) /);
    const whole = { ...PRODUCTION, JWT_PRIVATE_JWK: '{"kty":"EC","d":"x"}' };
    const password = 'not-to-be-told';
    for (const url of [`redis://u:${password}@h:1/2`, `rediss://:${password}@h`, 'unix:///run/redis.sock']) {
      const settings = readSettings({ ...whole, REDIS_URL: url });
      expect(settings.redisUrl?.reveal()).toBe(url);
      expect(inspect(settings, { depth: 9 }) + JSON.stringify(settings)).not.toContain(password);
    }
    expect(problemsOf({ ...whole, REDIS_URL: 'http://h' }).join()).toMatch(/^REDIS_URL is malformed\. Set /);
    const link = { TOPOLOGY: 'link', LINK_URL: 'ws://h/link', LINK_TOKEN: 's'.repeat(32), REDIS_URL: 'redis://h' };
    expect(problemsOf({ ...whole, ...link }).join()).toMatch(/^TOPOLOGY is link, .*cannot be\. Set inline/);
  });

  test('where the place in Discord’s events is kept: nowhere, unless it is said or people come', () => {
    expect(readSettings({}).stateDirectory).toBeUndefined();
    expect(readSettings(PRODUCTION).stateDirectory).toBe('./state');
    expect(readSettings({ STATE_DIRECTORY: '/var/lib/rooms' }).stateDirectory).toBe('/var/lib/rooms');
  });

  test('a worker needs what joins it to the app', () => {
    const secret = 's'.repeat(32);
    expect(readSettings({}).topology).toEqual({ kind: 'inline' });
    expect(readSettings({ TOPOLOGY: 'webhook', HUB_SECRET: secret }).topology).toMatchObject({ kind: 'webhook' });
    expect(
      readSettings({ TOPOLOGY: 'link', LINK_URL: 'wss://gateway.example/link', LINK_TOKEN: secret }).topology,
    ).toMatchObject({ kind: 'link', url: 'wss://gateway.example/link' });
    expect(problemsOf({ TOPOLOGY: 'webhook' }).join()).toMatch(
      /^HUB_SECRET is missing: TOPOLOGY=webhook needs it\. Set /,
    );
    expect(problemsOf({ TOPOLOGY: 'link' }).map((problem) => problem.split(' ')[0])).toEqual([
      'LINK_URL',
      'LINK_TOKEN',
    ]);
    expect(problemsOf({ TOPOLOGY: 'star' }).join()).toMatch(/^TOPOLOGY is malformed\. Set /);
    expect(problemsOf({ LINK_URL: 'http://gateway.example' }).join()).toMatch(/^LINK_URL is malformed\. Set /);
  });
});
