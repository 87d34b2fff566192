/** Requests whose answers come as dispatches, without network and in virtual time. */
import type { GuildMembersOptions } from '@guildkit/gateway';
import { expect, test } from 'vitest';
import { fakeGateway } from '../support/fake-gateway.js';

interface Sent {
  readonly guild_id: string;
  readonly nonce: string;
  readonly [key: string]: unknown;
}

async function setUp() {
  const gateway = fakeGateway({ intents: ['Guilds', 'GuildMembers'] });
  const socket = await gateway.connect();
  let seq = 1;
  const dispatch = (name: string, data: unknown): void => {
    seq += 1;
    gateway.last().receive({ op: 0, t: name, s: seq, d: data });
  };
  return {
    ...gateway,
    socket,
    /** Requests for members on the wire, the oldest first. */
    asked: () =>
      gateway.sockets.flatMap(({ sent }) => sent.filter(({ op }) => op === 8).map(({ d }) => d as unknown as Sent)),
    dispatch,
    chunk: ({ nonce, guild_id }: Sent, index: number, count: number, ids: readonly string[], more: object = {}) =>
      dispatch('GUILD_MEMBERS_CHUNK', {
        guild_id,
        nonce,
        chunk_index: index,
        chunk_count: count,
        members: ids.map((id) => ({ user: { id } })),
        ...more,
      }),
    limited: ({ nonce, guild_id }: Sent, retryAfter: number) =>
      dispatch('RATE_LIMITED', { opcode: 8, retry_after: retryAfter, meta: { guild_id, nonce } }),
    /** Reconnects, by a resume or with a new session. */
    async comeBack(code: 1006 | 4009) {
      gateway.last().close(code);
      await gateway.clock.advance(6_000);
      gateway.last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
      await gateway.clock.advance(6_000);
      if (code === 1006) {
        dispatch('RESUMED', {});
      } else {
        seq = 0;
        dispatch('READY', { user: { id: '42' }, session_id: 'next', resume_gateway_url: 'wss://r', guilds: [] });
      }
      await gateway.clock.advance(0);
    },
  };
}

const ids = (members: readonly { user: { id: string } }[]): string[] => members.map(({ user }) => user.id);
const first = <T>([item]: readonly T[]): T => item as T;

test('members are awaited as a whole, in the order of their chunks, or iterated over as they come', async () => {
  const { client, clock, asked, chunk } = await setUp();
  const request = client.requestGuildMembers({ guildId: '7', presences: false });
  expect(first(asked())).toEqual({ guild_id: '7', query: '', limit: 0, presences: false, nonce: expect.any(String) });
  expect(first(asked()).nonce.length).toBeLessThanOrEqual(32);
  const seen: string[] = [];
  const iteration = (async () => {
    for await (const member of request) seen.push(member.user.id);
  })();
  await clock.advance(0);
  chunk(first(asked()), 0, 3, ['a', 'b']);
  await clock.advance(0);
  expect(seen).toEqual(['a', 'b']);
  chunk(first(asked()), 2, 3, ['d'], { presences: [{ user: { id: 'd' } }] });
  await clock.advance(0);
  expect(seen).toEqual(['a', 'b']);
  chunk(first(asked()), 1, 3, ['c'], { not_found: ['9'] });
  await iteration;
  expect(seen).toEqual(['a', 'b', 'c', 'd']);
  const { members, notFound, presences } = await request;
  expect([ids(members), notFound, presences]).toEqual([['a', 'b', 'c', 'd'], ['9'], [{ user: { id: 'd' } }]]);
  // And once more, from the start.
  const again: string[] = [];
  for await (const member of request) again.push(member.user.id);
  expect(again).toEqual(seen);
  await client.close();
  expect(clock.pending).toBe(0);
});

test('answers go to who asked: by nonce, whatever the guild', async () => {
  const { client, asked, chunk, dispatch } = await setUp();
  const requests = ['ann', 'bob'].map((query) => client.requestGuildMembers({ guildId: '7', query, limit: 5 }));
  const [ann, bob] = asked();
  if (ann === undefined || bob === undefined) throw new Error('two requests were expected');
  chunk(bob, 0, 1, ['bob']);
  chunk({ ...ann, nonce: 'of another process' }, 0, 1, ['x']);
  dispatch('GUILD_MEMBERS_CHUNK', 'nonsense');
  chunk(ann, 0, 1, ['ann']);
  expect((await Promise.all(requests)).map(({ members }) => ids(members))).toEqual([['ann'], ['bob']]);
  await client.close();
});

test('RATE_LIMITED is waited out and the request made again; others of that guild wait their turn', async () => {
  const { client, clock, asked, chunk, limited } = await setUp();
  const one = client.requestGuildMembers({ guildId: '7' });
  const two = client.requestGuildMembers({ guildId: '7' });
  const elsewhere = client.requestGuildMembers({ guildId: '8' });
  // Only the whole list is limited.
  const query = client.requestGuildMembers({ guildId: '7', limit: 3 });
  expect(asked().map(({ guild_id, query: of }) => [guild_id, of])).toEqual([
    ['7', ''],
    ['8', ''],
    ['7', ''],
  ]);
  limited(first(asked()), 29.5);
  await clock.advance(29_499);
  expect(asked()).toHaveLength(3);
  await clock.advance(1);
  expect(asked()).toHaveLength(4);
  expect(asked()[3]).toEqual(asked()[0]);
  for (const sent of asked().slice(1)) chunk(sent, 0, 1, [sent.nonce]);
  await Promise.all([one, elsewhere, query]);
  chunk(asked()[4] as Sent, 0, 1, ['z']);
  expect(ids((await two).members)).toEqual(['z']);
  await client.close();
  expect(clock.pending).toBe(0);
});

test('a wait that is longer than the time limit is refused at once', async () => {
  const { client, asked, limited, dispatch } = await setUp();
  const request = client.requestGuildMembers({ guildId: '7', timeoutMs: 20_000 });
  dispatch('RATE_LIMITED', { opcode: 8, retry_after: 'soon' });
  dispatch('RATE_LIMITED', { opcode: 4, retry_after: 1, meta: {} });
  limited(first(asked()), 25);
  await expect(request).rejects.toMatchObject({ code: 'ERR_GATEWAY_REQUEST_RATE_LIMITED', retryable: true });
  await client.close();
});

test('at most four queries of a guild are under way', async () => {
  const { client, asked, chunk } = await setUp();
  const requests = Array.from({ length: 6 }, (_, index) =>
    client.requestGuildMembers({ guildId: '7', userIds: [`${index + 1}`] }),
  );
  expect(asked()).toHaveLength(4);
  for (let index = 0; index < 6; index += 1) chunk(asked()[index] as Sent, 0, 1, [`${index + 1}`]);
  await Promise.all(requests);
  expect(asked()).toHaveLength(6);
  await client.close();
});

test('after a new session it is asked for again, and nobody is listed twice', async () => {
  const { client, asked, chunk, comeBack } = await setUp();
  const request = client.requestGuildMembers({ guildId: '7' });
  await Promise.resolve();
  chunk(first(asked()), 0, 2, ['a', 'b']);
  await comeBack(4009);
  expect(asked()).toHaveLength(2);
  chunk(asked()[1] as Sent, 0, 2, ['b', 'a']);
  chunk(asked()[1] as Sent, 1, 2, ['c']);
  expect(ids((await request).members)).toEqual(['a', 'b', 'c']);
  await client.close();
});

test('after a resume it is asked for again if nothing had come, for it may never have arrived', async () => {
  const { client, clock, asked, chunk, comeBack } = await setUp();
  const silent = client.requestGuildMembers({ guildId: '7' });
  const begun = client.requestGuildMembers({ guildId: '8' });
  await clock.advance(0);
  chunk(asked()[1] as Sent, 0, 2, ['a']);
  await comeBack(1006);
  expect(asked().map(({ guild_id }) => guild_id)).toEqual(['7', '8', '7']);
  chunk(asked()[2] as Sent, 0, 1, ['x']);
  chunk(asked()[1] as Sent, 1, 2, ['b']);
  expect(ids((await silent).members)).toEqual(['x']);
  expect(ids((await begun).members)).toEqual(['a', 'b']);
  await client.close();
});

test('a request ends by its deadline, its signal, or close(), for who awaits and for who iterates', async () => {
  const { client, clock, asked, chunk } = await setUp();
  const abort = new AbortController();
  const late = client.requestGuildMembers({ guildId: '7', timeoutMs: 5_000 });
  const withdrawn = client.requestGuildMembers({ guildId: '8', signal: abort.signal });
  const never = client.requestGuildMembers({ guildId: '8', signal: AbortSignal.abort('early') });
  const closed = client.requestGuildMembers({ guildId: '9' });
  await expect(never).rejects.toMatchObject({ code: 'ERR_GATEWAY_REQUEST_ABORTED', cause: 'early' });
  await clock.advance(0);
  chunk(asked()[2] as Sent, 0, 2, ['a']);
  const seen: string[] = [];
  const iteration = (async () => {
    for await (const member of closed) seen.push(member.user.id);
  })();
  iteration.catch(() => {});
  await clock.advance(5_000);
  await expect(late).rejects.toMatchObject({ code: 'ERR_GATEWAY_REQUEST_TIMEOUT', retryable: true });
  abort.abort('enough');
  await expect(withdrawn).rejects.toMatchObject({ code: 'ERR_GATEWAY_REQUEST_ABORTED', cause: 'enough' });
  await client.close();
  await expect(closed).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLIENT_CLOSED' });
  await expect(iteration).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLIENT_CLOSED' });
  expect(seen).toEqual(['a']);
  expect(clock.pending).toBe(0);
});

test('a request that cannot be made says so', async () => {
  const { client } = fakeGateway({ intents: ['Guilds'] });
  await expect(client.requestGuildMembers({ guildId: '7', presences: true })).rejects.toMatchObject({
    code: 'ERR_GATEWAY_INTENT_MISSING',
    message: expect.stringContaining('GuildMembers, GuildPresences'),
  });
  await expect(client.requestGuildMembers({ guildId: '7', query: 'a' })).rejects.toMatchObject({
    code: 'ERR_GATEWAY_SEND_FAILED',
  });
  const ask = (options: Partial<GuildMembersOptions>) => () => client.requestGuildMembers({ guildId: '7', ...options });
  expect(ask({ guildId: 'general' })).toThrow(/"guildId" must be a guild id/);
  expect(ask({ limit: -1 })).toThrow(/"limit" must be an integer/);
  expect(ask({ userIds: [] })).toThrow(/"userIds" must be a list of 1 to 100/);
  expect(ask({ userIds: Array(101).fill('1') })).toThrow(/"userIds" must be a list of 1 to 100/);
  expect(ask({ userIds: ['1'], query: 'a' })).toThrow(/"userIds" goes without/);
  expect(ask({ who: 'all' } as never)).toThrow(/unknown option "who"/);
});

test('soundboard sounds come guild by guild, and are asked for in payloads that fit', async () => {
  const { client, clock, sockets, dispatch, comeBack } = await setUp();
  const lots = () => sockets.flatMap(({ sent }) => sent.filter(({ op }) => op === 31).map(({ d }) => d));
  expect(await client.requestSoundboardSounds([])).toEqual(new Map());
  const request = client.requestSoundboardSounds(['7', '8', '7']);
  const other = client.requestSoundboardSounds(['8']);
  expect(lots()).toEqual([{ guild_ids: ['7', '8'] }, { guild_ids: ['8'] }]);
  await clock.advance(0);
  dispatch('SOUNDBOARD_SOUNDS', { guild_id: '8', soundboard_sounds: [{ sound_id: '1' }] });
  expect(await other).toEqual(new Map([['8', [{ sound_id: '1' }]]]));
  dispatch('SOUNDBOARD_SOUNDS', {});
  await comeBack(1006);
  expect(lots().slice(2)).toEqual([{ guild_ids: ['7'] }]);
  dispatch('SOUNDBOARD_SOUNDS', { guild_id: '7', soundboard_sounds: [] });
  expect([...(await request).keys()]).toEqual(['8', '7']);

  const many = client.requestSoundboardSounds(
    Array.from({ length: 400 }, (_, index) => `${10n ** 19n + BigInt(index)}`),
    { timeoutMs: 1_000 },
  );
  expect(lots().slice(3)).toHaveLength(3);
  await Promise.all([
    expect(many).rejects.toMatchObject({ code: 'ERR_GATEWAY_REQUEST_TIMEOUT' }),
    clock.advance(1_000),
  ]);
  const aborted = client.requestSoundboardSounds(['9'], { signal: AbortSignal.abort() });
  await expect(aborted).rejects.toMatchObject({ code: 'ERR_GATEWAY_REQUEST_ABORTED' });
  expect(() => client.requestSoundboardSounds(['x'])).toThrow(/"guildIds" must be a list of guild ids/);
  const closed = client.requestSoundboardSounds(['9']);
  await Promise.all([client.close(), expect(closed).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLIENT_CLOSED' })]);
  expect(clock.pending).toBe(0);
});

test('presences and voice states are checked before they are sent', async () => {
  const { client, socket } = await setUp();
  const presence = { since: null, activities: [{ name: 'Chess', type: 0 }], status: 'online', afk: false };
  await client.updatePresence(presence as never);
  const presences: [object, RegExp][] = [
    [{ since: 'now' }, /"since" must be/],
    [{ activities: [{ type: 0 }] }, /"activities" must be/],
    [{ activities: [{ name: 'x', type: 9 }] }, /"activities" must be/],
    [{ status: 'away' }, /"status" must be one of/],
    [{ afk: 0 }, /"afk" must be/],
  ];
  for (const [change, message] of presences) {
    await expect(client.updatePresence({ ...presence, ...change } as never)).rejects.toThrow(message);
  }
  const voice = { guildId: '1', channelId: null, selfMute: false, selfDeaf: false };
  await client.updateVoiceState(voice);
  const states: [object, RegExp][] = [
    [{ guildId: 'x' }, /"guildId" must be/],
    [{ channelId: 5 }, /"channelId" must be/],
    [{ selfMute: 1 }, /"selfMute" must be/],
    [{ selfDeaf: undefined }, /"selfDeaf" must be/],
  ];
  for (const [change, message] of states) {
    await expect(client.updateVoiceState({ ...voice, ...change } as never)).rejects.toThrow(message);
  }
  expect(socket.sent.map(({ op }) => op)).toEqual([2, 3, 4]);
  await client.close();
});
