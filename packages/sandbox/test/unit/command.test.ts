import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type CommandIo, runCommand } from '../../src/command.js';

function fakeIo() {
  let stop: () => void = () => {};
  let ready: () => void = () => {};
  const started = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const texts = { out: '', err: '' };
  const io: CommandIo = {
    out: (text) => {
      texts.out += text;
      ready();
    },
    err: (text) => {
      texts.err += text;
    },
    onStop: (callback) => {
      stop = callback;
    },
  };
  return { io, texts, started, stop: () => stop() };
}

test('prints where everything is, serves until it is stopped, exits with 0', async () => {
  const { io, texts, started, stop } = fakeIo();
  const done = runCommand(['--port', '0', '--json', '--seed', '3'], io);
  await started;
  const facts = JSON.parse(texts.out);
  expect(Object.keys(facts).sort()).toEqual([
    'apiBase',
    'authorizeUrl',
    'clientId',
    'clientSecret',
    'consoleUrl',
    'controlUrl',
    'gatewayUrl',
    'guildId',
    'textChannelId',
    'token',
    'voiceChannelId',
    'voiceEndpoint',
  ]);
  const me = await fetch(`${facts.apiBase}/users/@me`, { headers: { authorization: `Bot ${facts.token}` } });
  expect(me.status).toBe(200);
  await me.text();
  stop();
  expect(await done).toBe(0);
  await expect(fetch(`${facts.apiBase}/gateway`)).rejects.toThrow();
});

test('begins with a saved state, from a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'guildkit-sandbox-'));
  const file = join(folder, 'state.json');
  const first = fakeIo();
  const firstDone = runCommand(['--port', '0', '--json', '--seed', '9'], first.io);
  await first.started;
  const facts = JSON.parse(first.texts.out);
  const body = JSON.stringify({ name: 'anna' });
  await fetch(`${facts.controlUrl}/people`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  await writeFile(file, await (await fetch(`${facts.controlUrl}/state`)).text());
  first.stop();
  await firstDone;

  const second = fakeIo();
  const secondDone = runCommand(['--port', '0', '--json', '--state', file], second.io);
  await second.started;
  const again = JSON.parse(second.texts.out);
  expect([again.token, again.guildId]).toEqual([facts.token, facts.guildId]);
  expect(await (await fetch(`${again.controlUrl}/people`)).json()).toMatchObject([{ name: 'anna' }]);
  second.stop();
  await secondDone;

  await writeFile(file, '{');
  expect(await runCommand(['--state', file], fakeIo().io)).toBe(2);
  await writeFile(file, '{"version":1}');
  expect(await runCommand(['--port', '0', '--state', file], fakeIo().io)).toBe(2);
  await rm(folder, { recursive: true });
});

test('prints text by default', async () => {
  const { io, texts, started, stop } = fakeIo();
  const done = runCommand(['--port', '0'], io);
  await started;
  expect(texts.out).toMatch(/bot token +\S+\n +API base +http:\/\/127\.0\.0\.1:\d+\/api\/v10\n/);
  expect(texts.out).toMatch(/control API +http:\/\/127\.0\.0\.1:\d+\/control\/v1\n/);
  stop();
  await done;
});

test('--help names every flag', async () => {
  const { io, texts } = fakeIo();
  expect(await runCommand(['--help'], io)).toBe(0);
  for (const flag of ['--port', '--host', '--allow-remote', '--seed', '--no-rate-limits', '--json', '--help']) {
    expect(texts.out).toContain(flag);
  }
});

test.each([
  [['--frob'], 2, /Unknown option/],
  [['--port', 'x'], 2, /--port must be a whole number/],
  [['--port', '99999'], 2, /option "port"/],
  [['--host', '0.0.0.0'], 1, /--allow-remote/],
])('%j exits with %i', async (args, code, message) => {
  const { io, texts } = fakeIo();
  expect(await runCommand(args, io)).toBe(code);
  expect(texts.err).toMatch(message);
  expect(texts.out).toBe('');
});
