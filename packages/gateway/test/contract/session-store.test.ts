/** Every session store passes the same suite. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileSessionStore, memorySessionStore } from '@guildkit/gateway';
import { afterEach, expect, test } from 'vitest';
import { aSession, sessionStoreSuite } from './session-store-suite.js';

const directories: string[] = [];

afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function emptyDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'guildkit-sessions-'));
  directories.push(directory);
  return directory;
}

sessionStoreSuite('memory', async () => memorySessionStore());
sessionStoreSuite('file', async () =>
  fileSessionStore({ directory: join(await emptyDirectory(), 'made', 'when-needed') }),
);

test('files are for their owner alone, and no drafts are left', async () => {
  const directory = await emptyDirectory();
  const store = fileSessionStore({ directory });
  await store.save('key-1', aSession(3));
  expect(await readdir(directory)).toEqual(['key-1.json']);
  expect((await stat(join(directory, 'key-1.json'))).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(join(directory, 'key-1.json'), 'utf8'))).toEqual(aSession(3));
});

test("two stores of one directory do not take each other's drafts", async () => {
  const directory = await emptyDirectory();
  const stores = Array.from({ length: 8 }, () => fileSessionStore({ directory }));
  await Promise.all(stores.map((store, seq) => store.save('a', aSession(seq))));
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
  await expect(fileSessionStore({ directory: join(directory, 'file') }).save('a', aSession(1))).rejects.toThrow();
  await expect(fileSessionStore({ directory }).load('../a')).rejects.toThrow(TypeError);
  expect(() => fileSessionStore({ directory: '' })).toThrow(TypeError);
});
