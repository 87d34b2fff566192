/** What the specifications promise over HTTP, asked of the built app; docs/acceptance.md says which sentence each test shows. */
import type { Person, Sandbox } from '@guildkit/sandbox';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Running } from '../../src/serve.js';
import { loginCookie, PATIENCE_MS, startApp } from './harness.js';

interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly requestId: string;
    readonly fields?: readonly { readonly path: string; readonly message: string }[];
    readonly retryAfterMs?: number;
  };
}

interface Frame {
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly traceId?: string;
}

describe('the app over HTTP', () => {
  let running: Running;
  const streams: AbortController[] = [];
  const sandbox = () => running.app.sandbox as Sandbox;

  beforeAll(async () => {
    running = await startApp();
  });
  afterEach(() => {
    sandbox().faults.clear();
    for (const stream of streams.splice(0)) stream.abort();
  });
  afterAll(async () => {
    await running?.close();
  });

  interface Player extends Pick<Person, 'id'> {
    readonly cookie: string;
    readonly person: Person;
  }
  async function player(name: string): Promise<Player> {
    const person = await sandbox().people.create({ name });
    return { id: person.id, person, cookie: await loginCookie(running, person) };
  }
  /** As a page of the app asks. */
  const ask = (method: string, path: string, who?: Player, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(running.url + path, {
      method,
      headers: {
        origin: running.url,
        ...(who !== undefined && { cookie: who.cookie }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
    });
  const errorOf = async (response: Response) => ((await response.json()) as ErrorBody).error;

  /** The events of rooms, as a stream brings them. */
  async function listen(who: Player, rooms: string) {
    const aborter = new AbortController();
    streams.push(aborter);
    const response = await fetch(`${running.url}/api/stream?rooms=${rooms}`, {
      headers: { cookie: who.cookie, origin: running.url },
      signal: aborter.signal,
    });
    let text = '';
    const read = async () => {
      const decoder = new TextDecoder();
      for await (const part of response.body ?? []) text += decoder.decode(part, { stream: true });
    };
    read().catch(() => {});
    const frames = (): Frame[] =>
      [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data as string) as Frame);
    const until = (event: string, fits: (payload: Frame['payload']) => boolean = () => true) =>
      vi.waitFor(
        () => {
          const found = frames().find((frame) => frame.event === event && fits(frame.payload));
          if (found === undefined) throw new Error(`no ${event} in ${text.slice(0, 2_000)}`);
          return found;
        },
        { timeout: PATIENCE_MS },
      );
    return { response, frames, until };
  }

  test('a room: made once however often it is asked for, told to all, ended by its creator alone, gone from Discord', async () => {
    const [anna, bert] = [await player('Anna A'), await player('Bert B')];
    const { guildId } = running.app;
    const witness = await listen(bert, `guild:${guildId}`);
    await witness.until('sys.snapshot');

    expect((await ask('POST', '/api/create-room', undefined, {})).status).toBe(401);
    const wrong = await ask('POST', '/api/create-room', anna, { userLimit: 9, name: 'x' });
    expect([wrong.status, (await errorOf(wrong)).fields?.[0]?.path]).toEqual([400, 'userLimit']);

    const before = (await running.app.rooms.list()).length;
    const asked = Array.from({ length: 5 }, (_, at) =>
      ask(
        'POST',
        '/api/create-room',
        anna,
        { name: 'Table of Anna', userLimit: 4 },
        { 'idempotency-key': `key-${at}-abc` },
      ),
    );
    const answers = await Promise.all(asked);
    expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(201));
    const rooms = (await Promise.all(answers.map((answer) => answer.json()))) as Record<string, string>[];
    expect(new Set(rooms.map(({ channelId }) => channelId)).size).toBe(1);
    expect((await running.app.rooms.list()).length).toBe(before + 1);
    const [room] = rooms;
    const channelId = String(room?.channelId);
    expect(room).toMatchObject({
      name: 'Table of Anna',
      guildId,
      roleId: expect.any(String),
      invite: expect.any(String),
    });
    const created = await witness.until('room.created', (payload) => payload.channelId === channelId);
    expect(created.payload).toEqual({ channelId, name: 'Table of Anna', guildId });

    const channels = () => running.app.directory.list().map((entry) => entry.channelId);
    await vi.waitFor(() => expect(channels()).toContain(channelId), { timeout: PATIENCE_MS });
    const end = (who?: Player, id = channelId) => ask('DELETE', `/api/end-room/${id}`, who);
    expect((await end()).status).toBe(401);
    expect((await end(bert)).status).toBe(403);
    expect((await end(anna, '1')).status).toBe(404);
    expect((await end(anna)).status).toBe(204);
    expect((await end(anna)).status).toBe(204);
    const deleted = await witness.until('room.deleted', (payload) => payload.channelId === channelId);
    expect(deleted.payload).toEqual({ channelId, guildId });

    const { apiBase, token } = sandbox().connection;
    const discord = async (path: string) =>
      JSON.stringify(
        await (
          await fetch(`${apiBase}/guilds/${guildId}${path}`, { headers: { authorization: `Bot ${token}` } })
        ).json(),
      );
    expect(await discord('/channels')).not.toContain(channelId);
    expect(await discord('/roles')).not.toContain(room?.roleId);
  });

  test('what Discord refuses is a 502 that says nothing of the inside', async () => {
    const carla = await player('Carla');
    sandbox().faults.disturbRest({ answer: 403, method: 'POST', path: '/guilds' });
    const refused = await ask('POST', '/api/create-room', carla, { name: 'Never' });
    const { code, message, requestId } = await errorOf(refused);
    expect([refused.status, code]).toEqual([502, 'ERR_ROOM_DISCORD_FAILED']);
    expect(requestId.length).toBeGreaterThan(7);
    expect(message).not.toMatch(/guilds|http|\/|127\.0\.0\.1/);
    sandbox().faults.clear();
    expect((await ask('POST', '/api/create-room', carla, { name: 'Now' })).status).toBe(201);
  });

  test('a command that is too long, not allowed, unknown or too much says so by its status, and reaches nobody', async () => {
    const [host, stranger] = [await player('Dora'), await player('Emil')];
    const { channelId } = await running.app.rooms.create({ creatorId: host.id, name: 'Doras table' });
    let commands = 0;
    const send = (who: Player | undefined, name: string, input: unknown) => {
      commands += 1;
      const frame = { v: 1, type: 'command', id: `c-${commands}`, payload: { name, input } };
      return ask('POST', '/api/commands', who, frame);
    };
    const requests = () => sandbox().traffic.counters.restRequests;
    const before = requests();

    const long = await send(host, 'sendMessage', { channelId, content: 'x'.repeat(2_001) });
    const { code, fields } = await errorOf(long);
    expect([long.status, code, fields?.[0]?.path]).toEqual([400, 'ERR_COMMAND_INPUT_INVALID', 'content']);
    const foreign = await send(stranger, 'sendMessage', { channelId, content: 'Let me in' });
    expect([foreign.status, (await errorOf(foreign)).code]).toEqual([403, 'ERR_COMMAND_FORBIDDEN']);
    expect((await send(stranger, 'disconnectMember', { userId: host.id })).status).toBe(403);
    expect((await send(host, 'launchRocket', {})).status).toBe(404);
    expect((await send(undefined, 'sendMessage', { channelId, content: 'x' })).status).toBe(401);
    expect(requests()).toBe(before);

    const statuses: number[] = [];
    let told: Response | undefined;
    for (let count = 0; count < 14 && told === undefined; count += 1) {
      const answer = await send(host, 'keepRoomOpen', { channelId });
      statuses.push(answer.status);
      if (answer.status === 429) told = answer;
    }
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(10);
    expect(Number(told?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await errorOf(told as Response)).retryAfterMs).toBeGreaterThan(0);
  });

  test('a token without the role may listen, and may not write', async () => {
    const { id } = await player('Finn');
    const { channelId } = await running.app.rooms.create({ creatorId: id, name: 'Finns table' });
    const before = sandbox().traffic.counters.restRequests;
    const write = async (roles: readonly string[], at: string) => {
      const { token } = await running.app.issueToken(id, roles);
      const frame = {
        v: 1,
        type: 'command',
        id: at,
        payload: { name: 'sendMessage', input: { channelId, content: 'x' } },
      };
      return ask('POST', '/api/commands', undefined, frame, { authorization: `Bearer ${token}` });
    };
    expect((await write(['voice:join'], 'a')).status).toBe(403);
    expect(sandbox().traffic.counters.restRequests).toBe(before);
    expect((await write(['voice:join', 'chat:write'], 'b')).status).toBe(200);
  });

  test('a stream carries chat and voice with the ids of the contract and a trace id, and leaves nothing behind', async () => {
    const host = await player('Gina');
    const { guildId } = running.app;
    const { channelId } = await running.app.rooms.create({ creatorId: host.id, name: 'Ginas table' });
    const open = running.app.hub.stats().connections;
    const stream = await listen(host, `channel:${channelId}`);
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(stream.response.headers.get('x-accel-buffering')).toBe('no');
    await stream.until('sys.snapshot');
    expect(running.app.hub.stats().connections).toBe(open + 1);
    await host.person.joinVoice(channelId);
    const joined = await stream.until('voice.joined');
    expect(joined.payload).toMatchObject({ guildId, channelId, userId: host.id, username: 'Gina', avatar: null });
    expect(joined.traceId).toMatch(/\S{8,}/);
    await host.person.send(channelId, 'From Discord');
    const message = await stream.until('message.created');
    expect(message.payload).toMatchObject({ channelId, userId: host.id, content: 'From Discord' });
    expect(message.traceId).toMatch(/\S{8,}/);
    await host.person.leaveVoice();
    expect((await stream.until('voice.left')).payload).toMatchObject({ guildId, userId: host.id });
    for (const each of streams.splice(0)) each.abort();
    await vi.waitFor(() => expect(running.app.hub.stats().connections).toBe(open), { timeout: PATIENCE_MS });
  });

  test('pages of others get no stream, no token and no command, with the player’s own cookie', async () => {
    const host = await player('Hugo');
    const evil = { origin: 'https://evil.example' };
    const { guildId } = running.app;
    const refused = await ask('GET', `/api/stream?rooms=guild:${guildId}`, host, undefined, evil);
    expect(refused.status).toBe(403);
    expect(refused.headers.get('access-control-allow-origin')).toBeNull();
    const frame = { v: 1, type: 'command', id: 'x', payload: { name: 'ackDropout', input: {} } };
    expect((await ask('POST', '/api/commands', host, frame, evil)).status).toBe(403);
    expect((await ask('POST', '/api/create-room', host, {}, evil)).status).toBe(403);
    expect((await ask('POST', '/auth/discord/logout', host, undefined, evil)).status).toBe(403);
  });
});
