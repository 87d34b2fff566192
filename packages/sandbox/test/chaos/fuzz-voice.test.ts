/** Hostile voice clients: nothing throws, nothing grows, and the sandbox still works afterwards. */

import { buildRtcp, parseRtcp } from '@guildkit/rtp';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import * as fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { routeRtcp } from '../../src/codec/rtcp-routes.js';
import { VOICE_CLOSE_CODES } from '../../src/protocol/voice/close-codes.js';
import { readDatagram } from '../../src/protocol/voice/datagram.js';
import { parseVoiceBinary, parseVoiceText, type VoiceFrame } from '../../src/protocol/voice/frames.js';
import { VOICE_OPCODES } from '../../src/protocol/voice/opcodes.js';
import { VoiceRoom } from '../../src/protocol/voice/room.js';
import { createVoiceReducer, freshVoice } from '../../src/protocol/voice/session.js';
import { seat, VoiceClient } from '../support/voice-client.js';

/** `npm run soak` asks for a million. */
const RUNS = Number(process.env.GUILDKIT_FUZZ_RUNS ?? 2_000);
const seed = Number(process.env.GUILDKIT_FUZZ_SEED ?? 1);

const clients: VoiceClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.end();
});

const FIELDS = [
  'op',
  'd',
  'server_id',
  'user_id',
  'session_id',
  'token',
  'channel_id',
  'streams',
  'ssrc',
  'rtx_ssrc',
  'type',
  'rid',
  'quality',
  'active',
  'protocol',
  'data',
  'address',
  'port',
  'mode',
  'codecs',
  'name',
  'priority',
  'payload_type',
  't',
  'seq_ack',
  'speaking',
  'delay',
  'audio_ssrc',
  'video_ssrc',
  'any',
  'transition_id',
  'max_dave_protocol_version',
  'max_resolution',
  'width',
  'height',
  '__proto__',
  'constructor',
  '7',
];
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(
      null,
      true,
      0,
      -1,
      1,
      7,
      65_535,
      65_536,
      2 ** 32,
      2 ** 53,
      1e308,
      '',
      '0',
      '1',
      'udp',
      'video',
      'audio',
      '18446744073709551616',
      'x'.repeat(200),
    ),
    fc.double(),
    fc.string({ unit: 'binary', maxLength: 10 }),
    fc.array(tie('any'), { maxLength: 10 }),
    fc.dictionary(fc.constantFrom(...FIELDS), tie('any'), { maxKeys: 8 }),
  ),
})).any;
const ops = fc.constantFrom(...VOICE_OPCODES.map(({ op }) => op), 10, 17, 99, -1, 1.5);
const text = fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: ops, d: value }).map((payload) => JSON.stringify(payload)) },
  { weight: 1, arbitrary: value.map((any) => JSON.stringify(any) ?? '') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);
const bytes = fc.uint8Array({ maxLength: 120 });

const hasKind = (frame: VoiceFrame): boolean =>
  frame.kind === 'invalid' ? frame.code in VOICE_CLOSE_CODES && frame.why.length < 100 : frame.kind.length > 0;

test('messages: a value or a close code, never an exception', () => {
  fc.assert(
    fc.property(text, (message) => hasKind(parseVoiceText(message))),
    { numRuns: RUNS, seed },
  );
  fc.assert(
    fc.property(bytes, (message) => hasKind(parseVoiceBinary(message))),
    { numRuns: RUNS, seed },
  );
});

test('the machine takes whatever parses', () => {
  const reducer = createVoiceReducer({
    heartbeatIntervalMs: 10,
    heartbeatGraceMs: 5,
    messageLimit: 1e9,
    messageWindowMs: 1,
    resumeWindowMs: 1,
  });
  const seated = { audioSsrc: 7, streams: [], ip: '', port: 0, modes: ['udp'] };
  const stamp = { now: 0, random: 0 };
  const admission = { ok: true, channelId: '1', seat: seated } as const;
  const open = reducer.step(freshVoice(1), { type: 'opened', version: 8, ...stamp }).state;
  fc.assert(
    fc.property(fc.array(text, { maxLength: 8 }), (messages) => {
      let state = open;
      for (const message of messages) {
        const frame = parseVoiceText(message);
        const next = reducer.step(state, { type: 'frame', socket: 1, frame, admission, ...stamp });
        for (const effect of next.effects) {
          if (effect.type === 'close') expect(effect.code in VOICE_CLOSE_CODES).toBe(true);
        }
        state = next.state;
      }
    }),
    { numRuns: Math.ceil(RUNS / 4), seed },
  );
});

test('datagrams: told apart, and RTCP goes to who is there alone', () => {
  const room = new VoiceRoom(() => ({ muted: false, deaf: false }));
  for (const [n, userId] of ['a', 'b', 'c'].entries()) {
    const streams = [{ type: 'video', rid: '', quality: 0, ssrc: n * 3 + 1, rtxSsrc: n * 3 + 2 }];
    room.join({ userId, platform: 0, seat: { audioSsrc: n * 3, streams } });
  }
  const packet = fc
    .tuple(fc.constantFrom(200, 201, 202, 203, 205, 206, 207), fc.nat(31), fc.array(fc.nat(10), { maxLength: 12 }))
    .map(([type, count, words]) => {
      const data = new Uint8Array(4 + words.length * 4);
      const view = new DataView(data.buffer);
      data.set([0x80 | count, type]);
      view.setUint16(2, words.length);
      words.forEach((word, at) => {
        view.setUint32(4 + at * 4, word);
      });
      return data;
    });
  fc.assert(
    fc.property(fc.oneof(packet, bytes), (data) => {
      expect(readDatagram(data).kind).toMatch(/^(discovery|keepalive|ping|media|unknown)$/);
      const parsed = parseRtcp(data);
      if (!parsed.ok) return;
      const { byUser, spoofed, aimless } = routeRtcp(room, 'a', parsed.value);
      expect([...byUser.keys()].every((userId) => userId === 'b' || userId === 'c')).toBe(true);
      expect(Number.isInteger(spoofed + aimless)).toBe(true);
      for (const packets of byUser.values()) buildRtcp(packets);
    }),
    { numRuns: RUNS, seed },
  );
});

async function stillWorks(sandbox: Sandbox): Promise<void> {
  expect(sandbox.voice.counters.internalErrors).toBe(0);
  expect(sandbox.traffic.counters.internalErrors).toBe(0);
  const [first, second] = await Promise.all(
    ['after', 'wards'].map(async (name) => {
      const { token } = await sandbox.bots.create({ name });
      const client = await VoiceClient.live((await seat(sandbox, token)).ticket);
      clients.push(client);
      await client.settled();
      return client;
    }),
  );
  first?.rtp({ payload: new Uint8Array([1, 2, 3]) });
  expect([...((await second?.received(1))?.[0]?.payload ?? [])]).toEqual([1, 2, 3]);
}

test('connections, whatever they send', async () => {
  await using sandbox = await createSandbox({ voice: { dave: false } });
  const { ticket } = await seat(sandbox);
  const messages = fc.sample(fc.oneof(text, bytes), { numRuns: 300, seed });
  let client: VoiceClient | undefined;
  for (const [n, message] of messages.entries()) {
    if (client === undefined || client.ws.readyState !== client.ws.OPEN) {
      client = VoiceClient.to(ticket);
      clients.push(client);
      // Half of them with a session, so that there is something to break.
      if (n % 2 === 0) client.identify();
      await client.op(8);
    }
    client.sendRaw(typeof message === 'string' ? message : Buffer.from(message));
  }
  await stillWorks(sandbox);
  expect(sandbox.voice.sessions().length).toBeLessThanOrEqual(3);
});

test('DAVE’s messages, whatever they hold', async () => {
  await using sandbox = await createSandbox();
  const { ticket } = await seat(sandbox);
  const client = await VoiceClient.live(ticket, { dave: 1 });
  clients.push(client);
  await client.op(25);
  for (const payload of fc.sample(fc.uint8Array({ minLength: 1, maxLength: 400 }), { numRuns: 200, seed })) {
    client.sendRaw(Buffer.concat([Buffer.from([payload.length % 2 === 0 ? 26 : 28]), payload]));
    client.send({ op: payload.length % 2 === 0 ? 23 : 31, d: { transition_id: payload[0] } });
  }
  await client.settled();
  const dave = sandbox.voice.channel(sandbox.voiceChannelId)?.dave;
  expect(Object.values(dave?.counters.refused ?? {}).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(100);
  expect(dave?.view.members).toEqual([ticket.userId]);
  expect(sandbox.voice.counters.internalErrors).toBe(0);
});

test('datagrams, whatever they hold', async () => {
  await using sandbox = await createSandbox({ voice: { dave: false } });
  const { ticket } = await seat(sandbox);
  const client = await VoiceClient.live(ticket);
  clients.push(client);
  const { cipher } = client;
  const sealed =
    cipher?.seal(new Uint8Array([0x90, 120, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 9, 9])) ??
    new Uint8Array();
  const flipped = fc.tuple(fc.nat(sealed.length - 1), fc.nat(7), fc.nat(sealed.length)).map(([at, bit, length]) => {
    const copy = sealed.slice();
    copy[at] = (copy[at] ?? 0) ^ (1 << bit);
    return copy.subarray(0, length);
  });
  // Sealed with the right key, and nonsense inside.
  const inside = fc
    .tuple(
      fc.constantFrom(0x80, 0x90, 0xa0, 0xbf),
      fc.constantFrom(120, 105, 200, 201, 205, 206),
      fc.uint8Array({ minLength: 10, maxLength: 80 }),
    )
    .map(([first, second, rest]) => {
      try {
        return cipher?.seal(new Uint8Array([first, second, ...rest])) ?? rest;
      } catch {
        return rest;
      }
    });
  const datagrams = fc.sample(fc.noBias(fc.oneof(bytes, flipped, inside)), { numRuns: 500, seed });
  for (const [n, datagram] of datagrams.entries()) {
    client.datagram(datagram);
    if (n % 50 === 49) await client.echoed();
  }
  const { packetsIn, dropped } = sandbox.voice.sessions()[0]?.media ?? { packetsIn: 0, dropped: {} };
  expect(packetsIn).toBeGreaterThan(450);
  expect(Object.values<number>(dropped).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(200);
  await stillWorks(sandbox);
});
