import { expect, it } from 'vitest';
import { readSettings, SettingsError } from '../../src/settings.js';

const SECRET = 'x'.repeat(32);
const DISCORD = { DISCORD_BOT_TOKEN: 'a.token.of-a-bot', PRIMARY_GUILD_ID: '100000000000000001' };
const WEBHOOK = {
  ...DISCORD,
  TOPOLOGY: 'webhook',
  HUB_ENDPOINT: 'https://rooms.example/api/internal/events',
  HUB_SECRET: SECRET,
};
const LINK = { ...DISCORD, TOPOLOGY: 'link', LINK_TOKEN: SECRET };

function problemsOf(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}

it('takes a worker that sends webhooks', () => {
  const { topology, healthPort, stateDirectory } = readSettings({ ...WEBHOOK, LOG_LEVEL: '' });
  expect(topology).toMatchObject({ kind: 'webhook', endpoint: WEBHOOK.HUB_ENDPOINT });
  expect({ healthPort, stateDirectory }).toEqual({ healthPort: 8_080, stateDirectory: './state' });
});

it('takes a worker that an app dials, with several tokens', () => {
  const { topology } = readSettings({ ...LINK, LINK_TOKEN: `${SECRET}, ${'y'.repeat(40)}`, PORT: '9000' });
  expect(topology.kind === 'link' && [topology.port, ...topology.tokens.map((token) => token.reveal())]).toEqual([
    9_000,
    SECRET,
    'y'.repeat(40),
  ]);
});

it('names every missing setting at once, and what the topology needs', () => {
  expect(problemsOf({}).map((problem) => problem.split(' ')[0])).toEqual([
    'TOPOLOGY',
    'DISCORD_BOT_TOKEN',
    'PRIMARY_GUILD_ID',
  ]);
  expect(problemsOf({ ...DISCORD, TOPOLOGY: 'webhook' }).join()).toMatch(/HUB_ENDPOINT is missing: .*HUB_SECRET/s);
  expect(problemsOf({ ...DISCORD, TOPOLOGY: 'link' }).join()).toContain(
    'LINK_TOKEN is missing: TOPOLOGY=link needs it.',
  );
});

it.each([
  ['TOPOLOGY', 'inline', WEBHOOK],
  ['DISCORD_BOT_TOKEN', 'Bot abc def', WEBHOOK],
  ['PRIMARY_GUILD_ID', '12', WEBHOOK],
  ['DISCORD_API_BASE', 'my-proxy', WEBHOOK],
  ['HUB_ENDPOINT', 'ftp://rooms.example', WEBHOOK],
  ['HUB_SECRET', 'too-short-to-be-a-secret', WEBHOOK],
  ['LINK_TOKEN', `${SECRET},too-short-to-be-a-token`, LINK],
  ['PORT', '70000', LINK],
  ['HEALTH_CHECK_PORT', '-1', LINK],
  ['MAX_API_RETRIES', 'many', LINK],
  ['LOG_LEVEL', 'loud', LINK],
])('a malformed %s is named with its remedy, and is not repeated', (name, value, env) => {
  const problems = problemsOf({ ...env, [name]: value });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(new RegExp(`^${name} is malformed\\. (Set|Copy) `));
  expect(problems[0]).not.toContain(`${name}=${value}`);
  if (value !== 'inline') expect(problems[0]).not.toContain(value);
});
