/** Every session store passes the same suite. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileSessionStore, type IdentifyBudgetStore, memorySessionStore, type SessionStore } from '@guildkit/gateway';
import { afterEach, describe, expect, test } from 'vitest';

const directories: string[] = [];

afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function emptyDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'guildkit-sessions-'));
  directories.push(directory);
  return directory;
}

const session = (seq: number) => ({ sessionId: 's', seq, resumeUrl: 'wss://resume', userId: '42', savedAt: 1_000 });

describe.each<[string, () => Promise<SessionStore>]>([
  ['memory', async () => memorySessionStore()],
  ['file', async () => fileSessionStore({ directory: join(await emptyDirectory(), 'made', 'when-needed') })],
])('%s store', (_name, make) => {
  test('gives what was kept last, by key', async () => {
    const store = await make();
    expect(await store.load('a')).toBeUndefined();
    await store.save('a', session(1));
    await store.save('b', session(7));
    await store.save('a', session(2));
    expect(await store.load('a')).toEqual(session(2));
    expect(await store.load('b')).toEqual(session(7));
  });

  test('forgets, also what it never had', async () => {
    const store = await make();
    await store.remove('a');
    await store.save('a', session(1));
    await store.remove('a');
    expect(await store.load('a')).toBeUndefined();
  });

  test('a reader meets a whole session while it is written', async () => {
    const store = await make();
    await store.save('a', session(0));
    const reads: Promise<{ seq: number } | undefined>[] = [];
    for (let seq = 1; seq <= 20; seq += 1) {
      const saved = store.save('a', session(seq));
      reads.push(store.load('a'));
      await saved;
    }
    for (const read of await Promise.all(reads)) expect(read?.seq).toBeTypeOf('number');
    expect(await store.load('a')).toEqual(session(20));
  });
});

describe.each<[string, () => Promise<SessionStore>]>([
  ['memory', async () => memorySessionStore()],
  ['file', async () => fileSessionStore({ directory: join(await emptyDirectory(), 'made') })],
])('%s store, counts of IDENTIFYs', (_name, make) => {
  const budget = (remaining: number) => ({ total: 1_000, remaining, resetAt: 5_000 });

  test('gives what was kept last, by key, beside the sessions', async () => {
    const store = await make();
    const budgets = store.identifyBudgets as IdentifyBudgetStore;
    expect(await budgets.load('bot')).toBeUndefined();
    await store.save('a', session(1));
    await budgets.save('bot', budget(9));
    await budgets.save('other', budget(3));
    await budgets.save('bot', budget(8));
    expect(await budgets.load('bot')).toEqual(budget(8));
    expect(await budgets.load('a')).toBeUndefined();
    await store.remove('a');
    expect(await budgets.load('other')).toEqual(budget(3));
  });
});

test('files are for their owner alone, and no drafts are left', async () => {
  const directory = await emptyDirectory();
  const store = fileSessionStore({ directory });
  await store.save('key-1', session(3));
  expect(await readdir(directory)).toEqual(['key-1.json']);
  expect((await stat(join(directory, 'key-1.json'))).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(join(directory, 'key-1.json'), 'utf8'))).toEqual(session(3));
});

test("two stores of one directory do not take each other's drafts", async () => {
  const directory = await emptyDirectory();
  const stores = Array.from({ length: 8 }, () => fileSessionStore({ directory }));
  await Promise.all(stores.map((store, seq) => store.save('a', session(seq))));
  expect(await readdir(directory)).toEqual(['a.json']);
});

test.each(['', '{"sessionId":"s"', '[]', '{"sessionId":"s","seq":"1"}'])(
  'a file that holds %j is no session',
  async (text) => {
    const directory = await emptyDirectory();
    await writeFile(join(directory, 'a.json'), text);
    expect(await fileSessionStore({ directory }).load('a')).toBeUndefined();
  },
);

test('a directory that cannot be used is an error, as is a key that leads out of it', async () => {
  const directory = await emptyDirectory();
  await writeFile(join(directory, 'file'), '');
  await expect(fileSessionStore({ directory: join(directory, 'file') }).save('a', session(1))).rejects.toThrow();
  await expect(fileSessionStore({ directory }).load('../a')).rejects.toThrow(TypeError);
  expect(() => fileSessionStore({ directory: '' })).toThrow(TypeError);
});
