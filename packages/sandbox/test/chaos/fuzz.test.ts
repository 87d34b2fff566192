/** Hostile input over real sockets: never a 500, never a crash, and the sandbox still works afterwards. */
import { connect } from 'node:net';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { call, RawClient } from '../support/gateway-client.js';

/** JSON that leans towards the field names and values that handlers look at. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      null,
      true,
      0,
      -1,
      4,
      2 ** 53,
      1e308,
      '',
      '0',
      '1',
      '18446744073709551616',
      '__proto__',
      'x'.repeat(200),
    ),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.double(),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        'op',
        'd',
        'name',
        'type',
        'id',
        'token',
        'intents',
        'shard',
        'properties',
        'guild_id',
        'channel_id',
        'session_id',
        'seq',
        'query',
        'user_ids',
        'limit',
        'parent_id',
        'permission_overwrites',
        'user_limit',
        'allow',
        'topic',
        '__proto__',
        'constructor',
        '_errors',
      ),
      tie('any'),
      { maxKeys: 6 },
    ),
  ),
})).any;

async function stillWorks(sandbox: Sandbox): Promise<void> {
  const client = await RawClient.identified(sandbox);
  const person = await sandbox.people.create({ name: 'after' });
  const { id } = await sandbox.channels.create({ name: 'after' });
  await person.joinVoice(id);
  await client.dispatch('VOICE_STATE_UPDATE', (d) => d.user_id === person.id);
  expect(sandbox.traffic.counters.internalErrors).toBe(0);
  client.terminate();
}

test('REST bodies, ids and queries', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const { guildId, textChannelId, voiceChannelId } = sandbox;
  const id = fc.oneof(
    fc.constantFrom(guildId, textChannelId, voiceChannelId, '@me', '%40me', '%', '..', '0', '99999999999999999999'),
    fc.string({ maxLength: 12 }).map(encodeURIComponent),
  );
  const path = fc.oneof(
    id.map((it) => `/guilds/${it}/channels`),
    id.map((it) => `/guilds/${it}/members?limit=${it}&after=${it}`),
    id.map((it) => `/guilds/${it}/voice-states/${it}`),
    id.map((it) => `/channels/${it}`),
    id.map((it) => `/${it}/${it}`),
  );
  const body = fc.oneof(
    { weight: 4, arbitrary: fc.json({ maxDepth: 4 }) },
    { weight: 4, arbitrary: value.map((it) => JSON.stringify(it) ?? '') },
    { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 100 }) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'PUT'),
      path,
      body,
      async (method, target, text) => {
        const answer = await call(sandbox, method, target, method === 'GET' ? {} : { text });
        expect(answer.status).toBeLessThan(500);
        if (answer.status >= 400)
          expect(answer.body).toMatchObject({ code: expect.any(Number), message: expect.any(String) });
      },
    ),
    { numRuns: 400, seed: 3 },
  );
  await stillWorks(sandbox);
});

test('gateway frames, before and after IDENTIFY', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const { guildId, voiceChannelId } = sandbox;
  const request = fc.record({
    op: fc.constantFrom(1, 3, 4, 8, 31, 43),
    d: fc.oneof(
      value,
      fc.record(
        {
          guild_id: fc.oneof(fc.constant(guildId), value),
          channel_id: fc.oneof(fc.constant(voiceChannelId), value),
          self_mute: value,
          query: fc.oneof(fc.constant(''), value),
          user_ids: value,
          limit: value,
          nonce: value,
          presences: value,
          guild_ids: fc.oneof(fc.constant([guildId]), value),
          fields: fc.oneof(fc.constant(['voice_start_time']), value),
          status: fc.oneof(fc.constant('dnd'), value),
          activities: fc.oneof(fc.constant([{ name: 'x', type: 0 }]), value),
        },
        { requiredKeys: ['guild_id'] },
      ),
    ),
  });
  const frame = fc.oneof(
    { weight: 5, arbitrary: request.map((it) => JSON.stringify(it)) },
    { weight: 2, arbitrary: value.map((it) => JSON.stringify(it) ?? '') },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: fc.constant('['.repeat(4000)) },
  );
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(frame, { minLength: 1, maxLength: 8 }), async (identify, frames) => {
      const client = identify ? await RawClient.identified(sandbox) : RawClient.to(sandbox);
      for (const text of frames) client.sendText(text);
      client.send({ op: 99 });
      // The last frame is an unknown opcode; what came before may have closed the connection already.
      expect([4001, 4002, 4003, 4004, 4005, 4010, 4013, 4014]).toContain((await client.closed).code);
    }),
    { numRuns: 150, seed: 5 },
  );
  await stillWorks(sandbox);
});

test('frames of every size, and bytes that are no WebSocket', async () => {
  await using sandbox = await createSandbox();
  const closes = await Promise.all(
    [4095, 4096, 4097, 65_536, 65_537, 1_000_000].map(async (size) => {
      const client = RawClient.to(sandbox);
      const head = '{"op":1,"d":null,"pad":"';
      client.sendText(`${head}${'x'.repeat(size - head.length - 2)}"}`);
      client.send({ op: 99 });
      return [size, (await client.closed).code];
    }),
  );
  expect(closes).toEqual([
    [4095, 4001],
    [4096, 4001],
    [4097, 4002],
    [65_536, 4002],
    [65_537, 1009],
    [1_000_000, 1009],
  ]);
  const { port } = new URL(sandbox.connection.apiBase);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(
        '',
        'GET / HTTP/1.1\r\n',
        'GET /gateway HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n',
        'POST /api/v10/gateway HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n',
      ),
      fc.uint8Array({ maxLength: 80 }),
      (head, bytes) =>
        new Promise<void>((resolve) => {
          const socket = connect(Number(port), '127.0.0.1', () =>
            socket.end(Buffer.concat([Buffer.from(head), bytes])),
          );
          socket.resume();
          socket.on('error', () => {});
          socket.on('close', () => resolve());
        }),
    ),
    { numRuns: 60, seed: 9 },
  );
  await stillWorks(sandbox);
});

test('a control API body is never a 500', async () => {
  await using sandbox = await createSandbox();
  const person = await sandbox.people.create({ name: 'anna' });
  const route = fc.constantFrom(
    '/people',
    `/people/${person.id}/join`,
    `/people/${person.id}/voice`,
    '/people/x/leave',
    '/faults/cut',
    '/faults/down',
    '/faults/invalidate',
    '/faults/close',
    '/faults/withhold',
    '/faults/delay',
    '/faults/reorder',
    '/faults/raw',
    '/faults/refuse',
    '/faults/rest',
    '/nothing',
  );
  await fc.assert(
    fc.asyncProperty(route, value, async (path, body) => {
      const response = await fetch(`${sandbox.controlUrl}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body) ?? '',
      });
      expect([200, 400, 404, 409]).toContain(response.status);
      await response.text();
    }),
    { numRuns: 150, seed: 2 },
  );
  sandbox.faults.clear();
  await stillWorks(sandbox);
});

test('gateway queries: an answer for each, and the sandbox still works', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const text = fc.oneof(
    fc.constantFrom('10', '9', '', 'json', 'etf', 'zlib-stream', 'zstd-stream', '%', '&', '='),
    fc.string({ unit: 'grapheme', maxLength: 8 }).map(encodeURIComponent),
  );
  await fc.assert(
    fc.asyncProperty(text, text, text, async (v, encoding, compress) => {
      const answer = await new Promise<number>((resolve) => {
        const ws = new WebSocket(`${sandbox.gatewayUrl}?v=${v}&encoding=${encoding}&compress=${compress}`);
        ws.on('error', () => {});
        ws.once('unexpected-response', (_request, response) => {
          resolve(response.statusCode ?? 0);
          ws.terminate();
        });
        ws.once('close', (code) => resolve(code));
        ws.once('message', () => {
          resolve(101);
          ws.terminate();
        });
      });
      expect([101, 400, 4012]).toContain(answer);
    }),
    { numRuns: 120, seed: 4 },
  );
  await stillWorks(sandbox);
});
