/** The package in a browser: nothing of Node's is in the bundle, and it connects with a browser's WebSocket. */
import { createContext, runInContext } from 'node:vm';
import type * as gatewayPackage from '@guildkit/gateway';
import { createSandbox } from '@guildkit/sandbox';
import { beforeAll, expect, test } from 'vitest';
import { bundleForBrowser } from '../support/bundle.js';

let code: string;
let inputs: string[];

beforeAll(async () => {
  const { outputFiles, metafile } = await bundleForBrowser();
  code = outputFiles[0]?.text ?? '';
  inputs = Object.keys(metafile.inputs);
});

/** What a page has, and nothing of Node's. */
function page(more: object = {}): typeof gatewayPackage {
  const names = [
    'TextDecoder',
    'TextEncoder',
    'AbortController',
    'AbortSignal',
    'performance',
    'crypto',
    'fetch',
  ] as const;
  const timers = { setTimeout, clearTimeout, queueMicrotask };
  const globals = {
    ...Object.fromEntries(names.map((name) => [name, globalThis[name]])),
    ...timers,
    WebSocket,
    ...more,
  };
  const context = createContext(globals);
  runInContext('globalThis.self = globalThis; globalThis.window = globalThis;', context);
  return runInContext(`${code}\ngateway`, context) as typeof gatewayPackage;
}

test('no part of Node is in the bundle, nor what needs one', () => {
  const traces = /['"]node:|\brequire\(|\bBuffer\.|\bprocess\./;
  expect(code.split('\n').filter((line) => traces.test(line))).toEqual([]);
  const own = inputs.filter((path) => path.includes('src/'));
  expect(own.some((path) => path.endsWith('platform.browser.ts'))).toBe(true);
  for (const path of [
    'platform.ts',
    'zlib-stream.ts',
    'zstd-native.ts',
    'native-context.ts',
    'file-session-store.ts',
  ]) {
    expect(own.filter((input) => input.endsWith(`/${path}`))).toEqual([]);
  }
  expect(inputs.filter((path) => /node_modules\/ws\//.test(path))).toEqual([]);
});

test('it has the same exports as in Node', async () => {
  const inNode = await import('@guildkit/gateway');
  expect(Object.keys(page()).sort()).toEqual(Object.keys(inNode).sort());
});

test.each(['none', 'zstd-stream'] as const)('connects, hears and resumes with compression %s', async (compression) => {
  const sandbox = await createSandbox({ rateLimits: false });
  const { DiscordGatewayClient } = page();
  const client = new DiscordGatewayClient({
    ...sandbox.connection,
    intents: ['Guilds', 'GuildVoiceStates'],
    compression,
    backoff: { baseMs: 1, capMs: 1 },
  });
  try {
    const heard: string[] = [];
    const left = new Promise<void>((resolve) => client.onEvent('voice.left', () => resolve()));
    client.onEvent('*', ({ event }) => heard.push(event));
    await client.connect();
    const person = await sandbox.people.create({ name: 'ann' });
    await person.joinVoice(sandbox.voiceChannelId);
    const resumed = new Promise((resolve) => client.once('resumed', resolve));
    sandbox.faults.cut();
    await resumed;
    await person.leaveVoice();
    await left;
    expect(heard).toEqual(['voice.snapshot', 'voice.joined', 'voice.left']);
  } finally {
    await client.close();
    await sandbox.close();
  }
});

test('what only Node has is refused by name', async () => {
  const { DiscordGatewayClient, fileSessionStore, GatewayError } = page();
  const refused = { code: 'ERR_GATEWAY_PLATFORM_UNSUPPORTED', retryable: false };
  expect(() => fileSessionStore({ directory: 'x' })).toThrow(expect.objectContaining(refused));
  const client = new DiscordGatewayClient({
    token: 'token',
    intents: [],
    compression: 'zlib-stream',
    fetchGatewayInfo: async () => ({ url: 'ws://127.0.0.1:1', shards: 1, session_start_limit: {} as never }),
  });
  const error = await client.connect().catch((caught: unknown) => caught);
  expect(error).toMatchObject(refused);
  expect(GatewayError.is(error)).toBe(true);
});
