/** A user of Redis who may do what docs/operations.md names, and nothing else. */
import { readdir, readFile } from 'node:fs/promises';
import { redisEngine, redisRateLimitStore, redisSessionStore } from '@guildkit/redis';
import { applyRoomEvent, initialRoomState } from '@guildkit/server-kit/hub';
import { createClient } from 'redis';
import { describe, expect, it, vi } from 'vitest';
import { connectTo, hasRedis, TestRedis } from '../support/redis-server.js';

const at = (path: string) => new URL(path, import.meta.url);
const rulesOf = async () => {
  const line = /^user app .*$/m.exec(await readFile(at('../../../../docs/operations.md'), 'utf8'))?.[0] ?? '';
  return line.split(' ').slice(2);
};

describe('the rules of docs/operations.md', () => {
  it('name every command that a script calls', async () => {
    const rules = new Set(await rulesOf());
    const files = (await readdir(at('../../src/io'))).map((name) => at(`../../src/io/${name}`));
    const called = new Set<string>();
    for (const file of files) {
      for (const [, name] of (await readFile(file, 'utf8')).matchAll(/redis\.call\('([A-Z]+)'/g))
        called.add(String(name));
    }
    expect(called.size).toBeGreaterThan(20);
    expect([...called].filter((name) => !rules.has(`+${name.toLowerCase()}`))).toEqual([]);
  });

  it.skipIf(!hasRedis)('suffice for a hub and its stores, with its keys alone', async () => {
    const server = await TestRedis.start();
    const admin = await connectTo(server.path);
    await admin.sendCommand(['ACL', 'SETUSER', 'app', ...(await rulesOf())]);
    const client = createClient({
      username: 'app',
      password: 'password',
      socket: { path: server.path, tls: false },
      disableOfflineQueue: true,
    });
    client.on('error', () => {});
    await client.connect();
    const engine = redisEngine({ client, applyRoomEvent, initialRoomState });
    try {
      const heard: number[] = [];
      await engine.watch('channel:10', ({ seq }) => heard.push(seq));
      await engine.publish('channel:10', { event: 'chat.message', payload: 1, id: 'a', ts: 1, group: 'guild:1' });
      await engine.setViewers?.('channel:10', 'here', ['1'], 1_000);
      await vi.waitFor(() => expect(heard).toEqual([1]));
      expect(await engine.read('channel:10')).toMatchObject({ seq: 1 });
      expect(await redisRateLimitStore({ client }).take('a', [{ key: 'k', limit: 1 }], 1_000)).toBe(0);
      expect(await redisSessionStore({ client }).load('a')).toBeUndefined();
      await expect(redisSessionStore({ client, prefix: 'other' }).load('a')).rejects.toMatchObject({
        code: 'ERR_REDIS_COMMAND_FAILED',
      });
    } finally {
      await engine.close();
      client.destroy();
      admin.destroy();
      await server.close();
    }
  });
});
