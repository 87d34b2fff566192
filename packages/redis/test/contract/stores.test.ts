/** The stores of server-kit under the suites that those in memory pass, and what a shared one leaves behind. */
import {
  redisAnswerStore,
  redisInviteStore,
  redisReplayStore,
  redisRoomStore,
  redisSuccessorStore,
  redisTokenBucketStore,
} from '@guildkit/redis';
import { CommandBus, defineCommand } from '@guildkit/server-kit/commands';
import { createVirtualClock } from '@guildkit/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerStoreSuite } from '../../../server-kit/test/contract/answer-store-suite.js';
import { inviteStoreSuite } from '../../../server-kit/test/contract/invite-store-suite.js';
import { replayStoreSuite } from '../../../server-kit/test/contract/replay-store-suite.js';
import { aRoom, roomStoreSuite } from '../../../server-kit/test/contract/room-store-suite.js';
import { successorStoreSuite } from '../../../server-kit/test/contract/successor-store-suite.js';
import { tokenBucketStoreSuite } from '../../../server-kit/test/contract/token-bucket-store-suite.js';
import { connectTo, hasRedis, TestRedis } from '../support/redis-server.js';

describe.skipIf(!hasRedis)('on a Redis', () => {
  let server: TestRedis;
  let client: Awaited<ReturnType<typeof connectTo>>;
  let prefixes = 0;
  beforeAll(async () => {
    server = await TestRedis.start();
    client = await connectTo(server.path);
  });
  afterAll(async () => {
    client.destroy();
    await server.close();
  });
  /** Options of a store that nobody else uses, in virtual time. */
  const fresh = () => {
    prefixes += 1;
    const clock = createVirtualClock();
    return { options: { client, clock, prefix: `p${prefixes}` }, advance: (ms: number) => clock.advance(ms), clock };
  };

  tokenBucketStoreSuite('redis', async () => {
    const { options, advance } = fresh();
    return { store: redisTokenBucketStore(options), advance };
  });
  replayStoreSuite('redis', async () => {
    const { options, advance } = fresh();
    return { store: redisReplayStore(options), advance };
  });
  successorStoreSuite('redis', async () => {
    const { options, advance } = fresh();
    return { store: redisSuccessorStore(options), advance };
  });
  roomStoreSuite('redis', async () => {
    const { options, advance } = fresh();
    return { store: redisRoomStore(options), advance };
  });
  answerStoreSuite('redis', async () => {
    const { options, advance } = fresh();
    return { store: redisAnswerStore(options), advance };
  });
  inviteStoreSuite('redis', async () => {
    const { options, clock } = fresh();
    return { store: redisInviteStore(options), now: () => clock.wallTime() };
  });

  it('by the server’s time no key but the rooms stays for ever', async () => {
    await client.flushAll();
    const limit = { tokens: 5, perMs: 5_000, burst: 10 };
    expect(await redisTokenBucketStore({ client }).take('a', 3, limit)).toMatchObject({ allowed: true, remaining: 7 });
    expect(await redisReplayStore({ client }).claim('a', 1_000)).toBe(true);
    expect(await redisReplayStore({ client }).has('a')).toBe(true);
    await redisSuccessorStore({ client }).put('a', 'line 1\nline 2 ü', 1_000.5);
    expect(await redisSuccessorStore({ client }).get('a')).toBe('line 1\nline 2 ü');
    const invites = redisInviteStore({ client });
    const later = Date.now() + 1_000;
    await invites.revoke('a', later);
    await invites.revokeRoom('10', 0);
    await invites.use('b', '7', 1, later);
    await redisRoomStore({ client }).claim('a', 1_000);
    const answers = redisAnswerStore({ client });
    const request = { fingerprint: 'f', leaseMs: 1_000, keepMs: 2_000.5 };
    await answers.claim({ ...request, key: 'claimed' });
    const claim = await answers.claim({ ...request, key: 'answered' });
    if (claim.kind === 'claimed') await answers.settle('answered', claim.ticket, { ok: true, latencyMs: 1 }, 1_000.5);
    const keys = await client.keys('*');
    expect(keys).toHaveLength(9);
    for (const key of keys) expect(await client.pTTL(key)).toBeGreaterThan(0);
    expect(await invites.isRevoked('a', '11')).toBe(true);
  });

  it('a command that is sent to two processes at once is done once, and not at all while Redis is away', async () => {
    const { client: mine, prefix } = fresh().options;
    const other = await connectTo(server.path);
    const runs: string[] = [];
    const once = defineCommand({
      input: { safeParse: (value: unknown) => ({ success: true as const, data: value as string }) },
      run: async (input) => {
        runs.push(input);
        await new Promise((resolve) => setTimeout(resolve, 30));
        return `${input} was done`;
      },
    });
    const bus = (of: typeof client) =>
      new CommandBus({
        commands: { once },
        answers: redisAnswerStore({ client: of, prefix }),
        userBucket: false,
        channelBucket: false,
      });
    const [here, there] = [bus(mine), bus(other)];
    const send = (to: CommandBus, id: string) =>
      to.handle({
        principal: { userId: 'u', roles: [], expiresAt: Number.POSITIVE_INFINITY },
        name: 'once',
        input: id,
        requestId: id,
        sentAt: 1,
        traceId: 't',
      });
    const ids = Array.from({ length: 10 }, (_, n) => `command ${n}`);
    const pairs = await Promise.all(ids.map((id) => Promise.all([send(here, id), send(there, id), send(here, id)])));
    expect([...runs].sort()).toEqual(ids);
    for (const [n, answers] of pairs.entries()) {
      for (const answer of answers) expect(answer).toMatchObject({ ok: true, result: `command ${n} was done` });
    }
    other.destroy();
    expect(await send(there, 'late')).toMatchObject({ error: { status: 503, code: 'ERR_COMMAND_STORE_UNAVAILABLE' } });
    expect(runs).toHaveLength(10);
  });

  it('two processes see one store, and what is no room is said', async () => {
    const { options } = fresh();
    const other = await connectTo(server.path);
    const [here, there] = [redisRoomStore(options), redisRoomStore({ ...options, client: other })];
    await here.add(aRoom({ holders: [] }));
    const sit = (store: typeof here, userId: string) =>
      store.update('10', (room) => ({ ...room, holders: [...room.holders, userId] }));
    await Promise.all(Array.from({ length: 20 }, (_, n) => sit(n % 2 ? here : there, String(n))));
    expect((await there.get('10'))?.holders).toHaveLength(20);
    await client.hSet(`${options.prefix}:rooms`, '11', 'not a room');
    await expect(here.get('11')).rejects.toMatchObject({ code: 'ERR_REDIS_REPLY_MALFORMED' });
    const answers = redisAnswerStore(options);
    await client.hSet(`${options.prefix}:answer:a`, { fingerprint: 'f', ends: '99999999999999', answer: 'no answer' });
    await expect(answers.claim({ key: 'a', fingerprint: 'f', leaseMs: 1, keepMs: 1 })).rejects.toMatchObject({
      code: 'ERR_REDIS_REPLY_MALFORMED',
    });
    other.destroy();
    await expect(there.list()).rejects.toMatchObject({ code: 'ERR_REDIS_SERVER_UNAVAILABLE' });
  });
});
