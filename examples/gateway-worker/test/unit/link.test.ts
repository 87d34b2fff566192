/** Topology C, with the built worker as a process, dialled by a LinkClient as the app would. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { LinkClient, LinkError } from '@guildkit/server-kit/link';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { buildWorker, children, freePort, names, newHub, SECRET, startProcess, written } from '../support/harness.js';

let directory: string;
let program: string;
let sandbox: Sandbox;
let port: number;
const clients = new Set<LinkClient>();
let round = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gateway-worker-'));
  program = await buildWorker(directory);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

beforeEach(async () => {
  round += 1;
  sandbox = await createSandbox({ rateLimits: false });
  // A restarted worker listens where the former did.
  port = await freePort();
});

afterEach(async () => {
  for (const client of clients) await client.close();
  clients.clear();
  for (const child of children) child.kill('SIGKILL');
  await sandbox.close();
});

const start = () =>
  startProcess(program, sandbox, {
    TOPOLOGY: 'link',
    LINK_TOKEN: SECRET,
    PORT: String(port),
    STATE_DIRECTORY: join(directory, `state-${round}`),
  });

function dial(token: () => string = () => SECRET) {
  const { take, heard, members } = newHub();
  const link = new LinkClient({
    url: `ws://127.0.0.1:${port}/link`,
    token,
    onEvent: take,
    backoffBaseMs: 50,
    backoffCapMs: 200,
  });
  clients.add(link);
  link.start();
  const open = () => vi.waitFor(() => expect(link.isOpen).toBe(true), { timeout: 20_000 });
  return { link, heard, members, open };
}

/** What was heard, each event the first time: Discord tells again what a killed worker had not stored. */
function once<E extends { readonly id: string }>(events: readonly E[]): readonly E[] {
  return [...new Map([...events].reverse().map((event) => [event.id, event])).values()].reverse();
}

it('killed in the middle of events: the app hears each, in order, and nothing is done twice', async () => {
  const ann = await sandbox.people.create({ name: 'ann' });
  const first = await start();
  const { heard, members, open } = dial();
  await open();
  await first.connected();
  const [before, meanwhile, after] = [names('a', 30), names('b', 10), names('c', 10)];
  for (const content of before) await ann.send(sandbox.textChannelId, content);
  await vi.waitFor(() => expect(written(heard).length).toBeGreaterThan(0));
  await first.signal('SIGKILL');
  for (const content of meanwhile) await ann.send(sandbox.textChannelId, content);
  await ann.joinVoice(sandbox.voiceChannelId);

  const second = await start();
  await second.connected();
  await open();
  for (const content of after) await ann.send(sandbox.textChannelId, content);
  await vi.waitFor(() => expect(written(once(heard))).toHaveLength(50), { timeout: 10_000 });
  expect(written(once(heard))).toEqual([...before, ...meanwhile, ...after]);
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1, resumesRefused: 0 });
  await vi.waitFor(async () => expect(await members(sandbox.voiceChannelId)).toEqual([ann.id]));
});

it('stopped while no app was there: the next process tells what nobody has heard', async () => {
  const ann = await sandbox.people.create({ name: 'ann' });
  const first = await start();
  const { link, open } = dial();
  await open();
  await first.connected();
  await link.close();
  await vi.waitFor(async () => expect((await first.health()).body.delivery).toMatchObject({ apps: 0 }));
  for (const content of names('late', 5)) await ann.send(sandbox.textChannelId, content);
  await vi.waitFor(async () => expect((await first.health()).body.delivery.queued).toBe(5));
  expect(await first.signal('SIGTERM')).toBe(0);

  const second = await start();
  await second.connected();
  const next = dial();
  await next.open();
  await vi.waitFor(() => expect(written(once(next.heard))).toEqual(names('late', 5)), { timeout: 10_000 });
});

it('a wrong token is refused and counted; the right one is let in when it is read again', async () => {
  const worker = await start();
  let token = 'not-the-token-of-both-sides-but-as-long';
  const { link, open } = dial(() => token);
  await vi.waitFor(() => expect(link.stats().errors.ERR_LINK_TOKEN_REFUSED).toBeGreaterThan(0));
  expect(link.isOpen).toBe(false);
  token = SECRET;
  await open();
  const { body } = await worker.health();
  expect(body.delivery).toMatchObject({ kind: 'link', apps: 1 });
  expect(body.delivery.kind === 'link' && body.delivery.unauthorized).toBeGreaterThan(0);
  expect(worker.lines.filter(({ level }) => level === 'warn').map(({ msg }) => msg)).toContain(
    'link refused: wrong token',
  );
  expect(JSON.stringify(worker.lines)).not.toContain(SECRET);
});

it('carries commands out, and says what Discord, or the worker, made of them', async () => {
  const ann = await sandbox.people.create({ name: 'ann' });
  await ann.joinVoice(sandbox.voiceChannelId);
  const table = await sandbox.channels.create({ name: 'Table' });
  const worker = await start();
  const { link, heard, members, open } = dial();
  await open();
  await worker.connected();
  const { textChannelId: channelId } = sandbox;
  const result = (await link.command('sendMessage', { channelId, content: 'hello' }, { actor: ann.id })) as {
    messageId: string;
  };
  await vi.waitFor(() => expect(written(heard)).toEqual(['hello']));
  await link.command('addReaction', { channelId, messageId: result.messageId, emoji: '👍' });
  await link.command('moveMember', { userId: ann.id, channelId: table.id }, { actor: ann.id });
  await vi.waitFor(async () => expect(await members(table.id)).toEqual([ann.id]));
  await link.command('rejoinVoice', { channelId: sandbox.voiceChannelId }, { actor: ann.id });
  await vi.waitFor(async () => expect(await members(sandbox.voiceChannelId)).toEqual([ann.id]));

  const refusal = async (name: string, input: unknown) => {
    const error: unknown = await link.command(name, input).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!LinkError.is(error)) throw new Error('no refusal');
    return { status: error.status, remoteCode: error.remoteCode };
  };
  expect(await refusal('sendMessage', { channelId: '1', content: 'x' })).toEqual({
    status: 404,
    remoteCode: 'ERR_COMMAND_REFUSED',
  });
  expect(await refusal('sendMessage', { channelId })).toEqual({ status: 400, remoteCode: 'ERR_COMMAND_INPUT_INVALID' });
  expect(await refusal('shutDown', {})).toEqual({ status: 404, remoteCode: 'ERR_COMMAND_UNKNOWN' });
});

it('a restarted app gets the whole, without anything happening in Discord', async () => {
  const ann = await sandbox.people.create({ name: 'ann' });
  await ann.joinVoice(sandbox.voiceChannelId);
  const worker = await start();
  await worker.connected();
  const first = dial();
  await vi.waitFor(async () => expect(await first.members(sandbox.voiceChannelId)).toEqual([ann.id]), {
    timeout: 10_000,
  });
  await first.link.close();
  const second = dial();
  await vi.waitFor(async () => expect(await second.members(sandbox.voiceChannelId)).toEqual([ann.id]), {
    timeout: 10_000,
  });
  expect(second.heard.map(({ event }) => event)).toEqual(['voice.snapshot']);
});
