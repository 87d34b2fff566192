/** Topology B, with the built worker as a process: it and the app come and go, and nothing is lost or taken twice. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import {
  buildWorker,
  children,
  names,
  SECRET,
  startApp,
  startProcess,
  type TestApp,
  written,
} from '../support/harness.js';

let directory: string;
let program: string;
let sandbox: Sandbox;
let app: TestApp;
let round = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gateway-worker-'));
  program = await buildWorker(directory);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

beforeEach(async () => {
  round += 1;
  sandbox = await createSandbox({ rateLimits: false });
  app = await startApp();
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await app.close();
  await sandbox.close();
});

const start = () =>
  startProcess(program, sandbox, {
    TOPOLOGY: 'webhook',
    HUB_ENDPOINT: app.url,
    HUB_SECRET: SECRET,
    STATE_DIRECTORY: join(directory, `state-${round}`),
  });

async function restartApp(): Promise<void> {
  const { port } = new URL(app.url);
  app = await startApp(Number(port));
}

it('killed in the middle of events: the next process goes on, and the app takes each once, in order', async () => {
  const ann = await sandbox.people.create({ name: 'ann' });
  const first = await start();
  await first.connected();
  const [before, meanwhile, after] = [names('a', 30), names('b', 10), names('c', 10)];
  for (const content of before) await ann.send(sandbox.textChannelId, content);
  await vi.waitFor(() => expect(written(app.heard).length).toBeGreaterThan(0));
  await first.signal('SIGKILL');
  for (const content of meanwhile) await ann.send(sandbox.textChannelId, content);
  await ann.joinVoice(sandbox.voiceChannelId);

  const second = await start();
  await second.connected();
  for (const content of after) await ann.send(sandbox.textChannelId, content);
  await vi.waitFor(() => expect(written(app.heard)).toHaveLength(50), { timeout: 10_000 });
  expect(written(app.heard)).toEqual([...before, ...meanwhile, ...after]);
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1, resumesRefused: 0 });
  await vi.waitFor(async () => expect(await app.members(sandbox.voiceChannelId)).toEqual([ann.id]));
  expect(app.receiver.stats().refused).toEqual({});
});

it('stopped while the app is away: it keeps its session, and what it could not hand over is told by the next one', async () => {
  const ann = await sandbox.people.create({ name: 'ann' });
  const first = await start();
  await first.connected();
  await ann.send(sandbox.textChannelId, 'heard');
  await vi.waitFor(() => expect(written(app.heard)).toEqual(['heard']));
  const { heard } = app;
  await app.close();
  for (const content of names('late', 5)) await ann.send(sandbox.textChannelId, content);
  await vi.waitFor(async () => expect((await first.health()).body.delivery.queued).toBeGreaterThan(0));
  expect(await first.signal('SIGTERM')).toBe(0);

  await restartApp();
  const second = await start();
  await second.connected();
  await vi.waitFor(() => expect(written(app.heard)).toContain('late4'), { timeout: 10_000 });
  // The app that came back is a new process: what the former took may be told to it again.
  const told = written(app.heard).filter((content) => content !== 'heard');
  expect(told).toEqual(names('late', 5));
  expect(written(heard)).toEqual(['heard']);
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1 });
});

it('an app that was away, or is a new process, has the right list soon, without anything happening in Discord', async () => {
  const [ann, bob] = await Promise.all(['ann', 'bob'].map((name) => sandbox.people.create({ name })));
  if (ann === undefined || bob === undefined) throw new Error('nobody');
  const worker = await start();
  await worker.connected();
  await ann.joinVoice(sandbox.voiceChannelId);
  await vi.waitFor(async () => expect(await app.members(sandbox.voiceChannelId)).toEqual([ann.id]));
  const former = app.receiver.bootId;
  await app.close();
  await bob.joinVoice(sandbox.voiceChannelId);
  await ann.leaveVoice();

  await restartApp();
  await vi.waitFor(async () => expect(await app.members(sandbox.voiceChannelId)).toEqual([bob.id]), {
    timeout: 10_000,
  });
  expect(app.receiver.bootId).not.toBe(former);
  expect(app.heard.map(({ event }) => event)).toContain('voice.snapshot');

  // Once more, with nothing that waits: only the asking tells that it is another process.
  await app.close();
  await restartApp();
  await vi.waitFor(async () => expect(await app.members(sandbox.voiceChannelId)).toEqual([bob.id]), {
    timeout: 10_000,
  });
  expect(app.heard.map(({ event }) => event)).toEqual(['voice.snapshot']);
});

it('says how it is, and no secret', async () => {
  const worker = await start();
  await worker.connected();
  await vi.waitFor(async () =>
    expect((await worker.health()).body.delivery).toMatchObject({ kind: 'webhook', queued: 0 }),
  );
  const { body } = await worker.health();
  expect(body).toMatchObject({ status: 'ok', discord: { state: 'ready', phase: 'ready', reconnects: 0 } });
  expect(body.discord.sessionAgeSeconds).toBeGreaterThanOrEqual(0);
  expect(body.discord.lastEventAt).toBeGreaterThan(0);
  const metrics = await (await fetch(worker.healthUrl.replace('/health', '/metrics'))).text();
  expect(metrics).toContain('guildkit_gateway_connected{shard="0"} 1');
  expect((await fetch(worker.healthUrl, { method: 'POST' })).status).toBe(405);
  expect((await fetch(worker.healthUrl.replace('/health', '/'))).status).toBe(404);
  const everything = JSON.stringify([worker.lines, body]) + metrics;
  expect(everything).not.toContain(SECRET);
  expect(everything).not.toContain(sandbox.connection.token);

  sandbox.faults.refuseUpgrades({ answer: 503 });
  sandbox.faults.cut();
  await vi.waitFor(async () => {
    const { status, body: now } = await worker.health();
    expect([status, now.status]).toEqual([503, 'degraded']);
  });
});

it('ends with 78 when no retry can help: settings that are missing, a token that Discord refuses', async () => {
  await expect(startProcess(program, sandbox, { TOPOLOGY: 'webhook' })).rejects.toThrow(/ended with 78: .*HUB_SECRET/s);
  const refused = await startProcess(program, sandbox, {
    TOPOLOGY: 'webhook',
    HUB_ENDPOINT: app.url,
    HUB_SECRET: SECRET,
    DISCORD_BOT_TOKEN: 'not.a.token-of-this-sandbox',
    STATE_DIRECTORY: join(directory, 'state-refused'),
  });
  expect(await refused.ended).toBe(78);
});
