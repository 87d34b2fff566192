/** Real processes, killed at any moment: the next one goes on, and every event is accounted for. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DomainEvent } from '@guildkit/core';
import { createSandbox } from '@guildkit/sandbox';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { bundleForNode } from '../support/bundle.js';
import { seeded } from '../support/seeded.js';

let directory: string;
const children = new Set<ChildProcess>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'guildkit-killed-'));
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

interface Life {
  readonly heard: DomainEvent[];
  readonly connected: Promise<void>;
  kill(): Promise<void>;
}

function live(program: string, connection: object): Life {
  const child = spawn(
    process.execPath,
    [program, JSON.stringify({ ...connection, directory: join(directory, 'store') })],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  children.add(child);
  const heard: DomainEvent[] = [];
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  let settle: () => void = () => {};
  const connected = new Promise<void>((resolve) => {
    settle = resolve;
  });
  lines.on('line', (line) => {
    // The last line of a killed process may be half of one.
    const said = parsed(line);
    if (said === undefined) return;
    if ('connected' in said) settle();
    else heard.push(said as DomainEvent);
  });
  return {
    heard,
    connected,
    async kill() {
      const gone = once(lines, 'close');
      child.kill('SIGKILL');
      await gone;
      children.delete(child);
    },
  };
}

function parsed(line: string): object | undefined {
  try {
    return JSON.parse(line) as object;
  } catch {
    return undefined;
  }
}

interface Change {
  readonly event: string;
  readonly userId: string;
  readonly channelId: string;
  readonly fromChannelId?: string;
}

const changeOf = ({ event, payload }: DomainEvent): Change => {
  const { userId, channelId, fromChannelId } = payload as unknown as Change;
  return fromChannelId === undefined ? { event, userId, channelId } : { event, userId, channelId, fromChannelId };
};

test('killed with SIGKILL again and again, the next process resumes, and every event is heard, with who was where', async () => {
  const program = join(directory, 'killable.cjs');
  await bundleForNode(new URL('../support/killable.ts', import.meta.url), program);
  const sandbox = await createSandbox({ rateLimits: false, replayLimit: 100_000 });
  const random = seeded(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const tables = [sandbox.voiceChannelId];
  for (const name of ['Table 2', 'Table 3']) tables.push((await sandbox.channels.create({ name })).id);
  const people = await Promise.all(['ann', 'bob', 'eve', 'joe'].map((name) => sandbox.people.create({ name })));
  const happened: Change[] = [];
  const lives: Life[] = [];

  async function somethingHappens(): Promise<void> {
    const person = pick(people);
    const from = person.channelId;
    const to = pick([...tables, null]);
    const userId = person.id;
    if (to === from) return;
    if (to === null) {
      await person.leaveVoice();
      happened.push({ event: 'voice.left', userId, channelId: from as string });
    } else if (from === null) {
      await person.joinVoice(to);
      happened.push({ event: 'voice.joined', userId, channelId: to });
    } else {
      await person.moveTo(to);
      happened.push({ event: 'voice.moved', userId, channelId: to, fromChannelId: from });
    }
  }

  async function storedSeq(): Promise<number> {
    const [file = ''] = (await readdir(join(directory, 'store'))).filter((name) => name.endsWith('-0-1.json'));
    return file === '' ? 0 : JSON.parse(await readFile(join(directory, 'store', file), 'utf8')).seq;
  }

  /** Every change in the order in which it was first heard; the same event heard again counts once. */
  function heard(): Change[] {
    const byId = new Map<string, DomainEvent>();
    for (const event of lives.flatMap((life) => life.heard)) {
      if (event.event !== 'voice.snapshot' && !byId.has(event.id)) byId.set(event.id, event);
    }
    return Array.from(byId.values(), changeOf);
  }

  try {
    for (let round = 0; round < 5; round += 1) {
      const life = live(program, sandbox.connection);
      lives.push(life);
      await life.connected;
      await vi.waitFor(async () => expect(await storedSeq()).toBeGreaterThan(0));
      const before = await storedSeq();
      for (let n = 0; n < 60; n += 1) {
        await somethingHappens();
        // Lets the process get somewhere, or not.
        if (random() < 0.3) await new Promise((resolve) => setImmediate(resolve));
      }
      // Some get to store where they are, some do not.
      while (round % 2 === 0 && (await storedSeq()) <= before) {
        await somethingHappens();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await life.kill();
      for (let n = 0; n < 10; n += 1) await somethingHappens();
    }
    const last = live(program, sandbox.connection);
    lives.push(last);
    await last.connected;
    await vi.waitFor(() => expect(heard().length).toBeGreaterThanOrEqual(happened.length), { timeout: 10_000 });

    expect(heard()).toEqual(happened);
    expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 5, resumesRefused: 0 });
    for (const { heard: events } of lives) expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    // The last process was sent no GUILD_CREATE: what it has told as the whole, and since, comes to the truth.
    const told = last.heard;
    const snapshot = told.findLastIndex(({ event }) => event === 'voice.snapshot');
    expect(told.filter(({ event }) => event === 'voice.snapshot').every(({ id }) => id.includes('resumed'))).toBe(true);
    const { members = [] } = (told[snapshot]?.payload ?? {}) as { members?: Change[] };
    const seated = new Map(members.map(({ userId, channelId }) => [userId, channelId]));
    for (const { event, userId, channelId } of told.slice(snapshot + 1).map(changeOf)) {
      if (event === 'voice.left') seated.delete(userId);
      else seated.set(userId, channelId);
    }
    const truth = people.filter(({ channelId }) => channelId !== null).map(({ id, channelId }) => [id, channelId]);
    expect([...seated].sort()).toEqual(truth.sort());
  } finally {
    await sandbox.close();
  }
});
