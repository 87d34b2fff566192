/** The build for browsers, as a bundler takes it by the condition `browser`, in Chromium against the sandbox. */
import { fileURLToPath } from 'node:url';
import type * as gatewayPackage from '@guildkit/gateway';
import { createSandbox } from '@guildkit/sandbox';
import { CHROMIUM_FLAGS, chromiumPath, HOW_TO_GET_CHROMIUM } from '@guildkit/testkit';
import { build, type Metafile } from 'esbuild';
import { chromium } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';

const executablePath = chromiumPath();
if (executablePath === undefined && process.env.CI === 'true') throw new Error(HOW_TO_GET_CHROMIUM);
if (executablePath === undefined) console.warn(`Skipped: the gateway's build in a browser. ${HOW_TO_GET_CHROMIUM}`);

let code: string;
let inputs: Metafile['inputs'];

beforeAll(async () => {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: "export * from '@guildkit/gateway'",
      // The package by its own name: its exports decide what is taken.
      resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
    },
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'gateway',
    metafile: true,
    write: false,
    // Not the workspace's, whose paths lead to the sources.
    tsconfigRaw: '{}',
    logLevel: 'silent',
  });
  code = outputFiles[0]?.text ?? '';
  inputs = metafile.inputs;
});

test('it is the build for browsers that is taken, and nothing of Node comes with it', () => {
  const paths = Object.keys(inputs);
  expect(paths.some((path) => path.endsWith('dist/browser/index.js'))).toBe(true);
  expect(paths.filter((path) => /gateway\/dist\/(?!browser\/)|node_modules\/ws\/|^node:/.test(path))).toEqual([]);
  const traces = /['"]node:|\brequire\(|\bBuffer\.|\bprocess\./;
  expect(code.split('\n').filter((line) => traces.test(line))).toEqual([]);
});

describe.skipIf(executablePath === undefined)('in Chromium', () => {
  test.each(['none', 'zstd-stream'] as const)(
    'it connects, hears and resumes with compression %s',
    async (compression) => {
      const sandbox = await createSandbox({ rateLimits: false });
      const browser = await chromium.launch({ executablePath: executablePath as string, args: CHROMIUM_FLAGS });
      try {
        const page = await browser.newPage();
        const errors: string[] = [];
        page.on('pageerror', ({ message }) => errors.push(message));
        // Any page of the sandbox's: from another origin, or from none, Chromium would not let it ask there.
        await page.goto(`${sandbox.connection.apiBase}/gateway`);
        await page.evaluate(`${code}\nglobalThis.gateway = gateway;`);
        const heard = async (): Promise<unknown> => page.evaluate('globalThis.heard');
        await page.evaluate(
          async ({ connection, compression }) => {
            const { DiscordGatewayClient } = (globalThis as unknown as { gateway: typeof gatewayPackage }).gateway;
            const client = new DiscordGatewayClient({
              ...connection,
              intents: ['Guilds', 'GuildVoiceStates'],
              compression,
              backoff: { baseMs: 1, capMs: 1 },
            });
            const heard: string[] = [];
            client.onEvent('*', ({ event }) => heard.push(event));
            client.on('resumed', () => heard.push('resumed'));
            Object.assign(globalThis, { client, heard });
            await client.connect();
          },
          { connection: sandbox.connection, compression },
        );
        const person = await sandbox.people.create({ name: 'ann' });
        await person.joinVoice(sandbox.voiceChannelId);
        await expect.poll(heard).toEqual(['voice.snapshot', 'voice.joined']);
        sandbox.faults.cut();
        await expect.poll(heard).toEqual(['voice.snapshot', 'voice.joined', 'resumed']);
        await person.leaveVoice();
        await expect.poll(heard).toEqual(['voice.snapshot', 'voice.joined', 'resumed', 'voice.left']);
        await page.evaluate('client.close()');
        await expect.poll(() => sandbox.traffic.counters.gatewayOpen).toBe(0);
        expect(errors).toEqual([]);
      } finally {
        await browser.close();
        await sandbox.close();
      }
    },
  );
});
