import { guardedSessionStore, memorySessionStore, type StoredSession } from '@guildkit/gateway';
import { expect, it } from 'vitest';

const session = (seq: number): StoredSession => ({
  sessionId: 's',
  seq,
  resumeUrl: 'ws://127.0.0.1:1',
  userId: '7',
  savedAt: seq,
});

function setUp() {
  const store = memorySessionStore();
  const failures: unknown[] = [];
  const guarded = guardedSessionStore({ store, onError: (error) => failures.push(error) });
  const seq = async () => {
    await guarded.flush();
    return (await store.load('k'))?.seq;
  };
  return { store, guarded, failures, seq };
}

it('stores at once when nothing is under way', async () => {
  const { guarded, seq } = setUp();
  await guarded.save('k', session(1));
  expect(await seq()).toBe(1);
});

it('holds a place back until every event before it was taken, in whatever order', async () => {
  const { guarded, seq } = setUp();
  await guarded.save('k', session(1));
  guarded.sent('a');
  guarded.sent('b');
  await guarded.save('k', session(3));
  guarded.sent('c');
  guarded.taken('b');
  expect(await seq()).toBe(1);
  guarded.taken('a');
  expect(await seq()).toBe(3);
});

it('counts an event that is told after its place was to be stored', async () => {
  const { guarded, seq } = setUp();
  const saved = guarded.save('k', session(2));
  guarded.sent('a');
  await saved;
  expect(await seq()).toBeUndefined();
  guarded.taken('a');
  expect(await seq()).toBe(2);
});

it('goes forward under events that never end', async () => {
  const { guarded, seq } = setUp();
  guarded.sent('0');
  for (let n = 1; n <= 10; n += 1) {
    guarded.sent(String(n));
    await guarded.save('k', session(n));
    guarded.taken(String(n - 1));
  }
  expect(await seq()).toBe(9);
});

it('forgets what it held when the session is gone', async () => {
  const { guarded, seq } = setUp();
  guarded.sent('a');
  await guarded.save('k', session(5));
  await guarded.remove('k');
  guarded.taken('a');
  expect(await seq()).toBeUndefined();
});

it('tells of a store that fails later, and goes on', async () => {
  const { store, guarded, failures, seq } = setUp();
  const { save } = store;
  store.save = () => Promise.reject(new Error('disk full'));
  guarded.sent('a');
  await guarded.save('k', session(5));
  guarded.taken('a');
  await guarded.flush();
  expect(failures).toEqual([new Error('disk full')]);
  await expect(guarded.save('k', session(6))).rejects.toThrow('disk full');
  store.save = save;
  await guarded.save('k', session(7));
  expect(await seq()).toBe(7);
});
