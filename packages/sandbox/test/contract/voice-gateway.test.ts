/** The voice gateway over real sockets: joining, opcodes, close codes, resume, being moved and thrown out. */
import { createSandbox, type Sandbox, type SandboxOptions } from '@guildkit/sandbox';
import { createVirtualClock } from '@guildkit/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { VOICE_CLOSE_CODES } from '../../src/protocol/voice/close-codes.js';
import { VOICE_OPCODES } from '../../src/protocol/voice/opcodes.js';
import { call, RawClient } from '../support/gateway-client.js';
import { seat, takeTicket, VoiceClient } from '../support/voice-client.js';

const open: { end(): void }[] = [];
afterEach(() => {
  for (const client of open.splice(0)) client.end();
});

/** A sandbox without DAVE. */
const begin = (options: SandboxOptions = {}): Promise<Sandbox> =>
  createSandbox({ ...options, voice: { dave: false, ...options.voice } });

function keep(client: VoiceClient): VoiceClient {
  open.push(client);
  return client;
}

async function join(
  sandbox: Sandbox,
  options: Parameters<typeof VoiceClient.live>[1] & { token?: string; channelId?: string } = {},
) {
  const { gateway, ticket } = await seat(sandbox, options.token, options.channelId);
  return { gateway, ticket, voice: keep(await VoiceClient.live(ticket, options)) };
}

async function joinAnother(sandbox: Sandbox, name: string, options: Parameters<typeof VoiceClient.live>[1] = {}) {
  const bot = await sandbox.bots.create({ name });
  return { ...(await join(sandbox, { ...options, token: bot.token })), id: bot.id };
}

describe('joining', () => {
  test.each([8, 9])('v%i: hello, ready, discovery, description', async (version) => {
    await using sandbox = await begin();
    const { voice, ticket } = await join(sandbox, { version });
    expect(ticket.endpoint).toBe(sandbox.voice.endpoint);
    expect(ticket.endpoint).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(voice.messages[0]).toMatchObject({ op: 8, d: { v: version, heartbeat_interval: 13_750 } });
    const ready = await voice.op(2);
    expect(ready.d).toMatchObject({
      ssrc: expect.any(Number),
      ip: '127.0.0.1',
      port: sandbox.voice.media.port,
      modes: ['aead_aes256_gcm_rtpsize', 'aead_xchacha20_poly1305_rtpsize'],
      streams: [{ type: 'video', ssrc: expect.any(Number), rtx_ssrc: expect.any(Number), rid: '', active: false }],
    });
    const { ssrc, streams } = ready.d;
    expect(new Set([ssrc, streams[0].ssrc, streams[0].rtx_ssrc, 0]).size).toBe(4);
    const description = await voice.op(4);
    expect(description.d).toMatchObject({
      audio_codec: 'opus',
      video_codec: 'VP8',
      mode: 'aead_aes256_gcm_rtpsize',
      dave_protocol_version: 0,
      media_session_id: expect.any(String),
    });
    expect(description.d.secret_key).toHaveLength(32);
    expect(
      voice.messages.filter(({ op }) => op === 2 || op === 4 || op === 8).every(({ seq }) => seq === undefined),
    ).toBe(true);
    expect(sandbox.voice.sessions()).toMatchObject([{ userId: ticket.userId, stage: 'live', connected: true }]);
  });

  test('streams of simulcast and the codec that comes first', async () => {
    await using sandbox = await begin();
    const streams = [
      { type: 'video', rid: '50', quality: 50 },
      { type: 'video', rid: '100', quality: 100 },
    ];
    const codecs = [
      { name: 'opus', type: 'audio', priority: 1000, payload_type: 120 },
      { name: 'VP8', type: 'video', priority: 3000, payload_type: 105, rtx_payload_type: 106 },
      { name: 'H264', type: 'video', priority: 1000, payload_type: 101, rtx_payload_type: 102 },
    ];
    const { voice } = await join(sandbox, { streams, codecs });
    expect(voice.streams.map(({ rid }) => rid)).toEqual(['50', '100']);
    expect((await voice.op(4)).d.video_codec).toBe('H264');
    voice.send({ op: 14, d: { codecs: codecs.slice(0, 2) } });
    expect((await voice.op(14)).d).toMatchObject({ video_codec: 'VP8' });
    voice.send({ op: 16, d: {} });
    expect((await voice.op(16)).d).toHaveProperty('voice');
  });

  test('who comes is told of who is there, and the other way round', async () => {
    await using sandbox = await begin();
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    const first = await join(sandbox);
    expect((await first.voice.op(11)).d).toEqual({ user_ids: [anna.id] });
    first.voice.speak(5);
    const { ssrc, rtx_ssrc: rtx } = first.voice.streams[0] as { ssrc: number; rtx_ssrc: number };
    const video = { audio_ssrc: first.voice.ssrc, video_ssrc: ssrc, rtx_ssrc: rtx };
    const stream = {
      type: 'video',
      rid: '',
      ssrc,
      rtx_ssrc: rtx,
      active: true,
      quality: 100,
      max_bitrate: 500_000,
      max_framerate: 30,
      max_resolution: { type: 'fixed', width: 640, height: 360 },
    };
    first.voice.send({ op: 12, d: { ...video, streams: [stream] } });
    await first.voice.settled();
    const second = await joinAnother(sandbox, 'second');
    expect((await second.voice.op(11)).d.user_ids.sort()).toEqual([anna.id, first.ticket.userId].sort());
    expect((await second.voice.op(5)).d).toEqual({
      user_id: first.ticket.userId,
      ssrc: first.voice.ssrc,
      speaking: 5,
      delay: 0,
    });
    expect((await second.voice.op(12)).d).toEqual({ user_id: first.ticket.userId, ...video, streams: [stream] });
    await first.voice.message(({ op, d }) => op === 11 && d.user_ids.includes(second.id));
    await first.gateway.dispatch(
      'VOICE_STATE_UPDATE',
      ({ user_id, self_video }) => user_id === first.ticket.userId && self_video,
    );
    expect(sandbox.voice.sessions()[0]).toMatchObject({ speaking: 5, video: [ssrc] });

    first.voice.send({ op: 12, d: { audio_ssrc: first.voice.ssrc, video_ssrc: 0, rtx_ssrc: 0, streams: [] } });
    await second.voice.message(({ op, d }) => op === 12 && d.video_ssrc === 0);
    await anna.leaveVoice();
    expect((await second.voice.message(({ op }) => op === 13)).d).toEqual({ user_id: anna.id });
    second.gateway.send({ op: 4, d: { guild_id: sandbox.guildId, channel_id: null } });
    expect((await second.voice.closed).code).toBe(4014);
    await first.voice.message(({ op, d }) => op === 13 && d.user_id === second.id);
    // Every number once, in order.
    const numbers = first.voice.messages.flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
    expect(numbers).toEqual(numbers.map((_, at) => at + 1));
    expect(sandbox.voice.counters.internalErrors).toBe(0);
  });

  test('media sink wants reach the sender, and rule what is forwarded', async () => {
    await using sandbox = await begin();
    const sender = await join(sandbox);
    const receiver = await joinAnother(sandbox, 'receiver');
    const { ssrc } = sender.voice.streams[0] as { ssrc: number };
    expect((await sender.voice.op(15)).d).toEqual({ any: 100 });
    receiver.voice.send({ op: 15, d: { any: 100, [ssrc]: 0, pixelCounts: {} } });
    expect((await sender.voice.message(({ op, d }) => op === 15 && String(ssrc) in d)).d).toEqual({
      any: 100,
      [ssrc]: 0,
    });
    expect(sandbox.voice.sessions()[1]?.wants).toEqual({ any: 100, bySsrc: { [ssrc]: 0 } });
    sender.voice.rtp({ ssrc, payloadType: 105, payload: Buffer.from('not wanted') });
    sender.voice.rtp({ payload: Buffer.from('voice') });
    expect((await receiver.voice.received(1)).map(({ payload }) => Buffer.from(payload).toString())).toEqual(['voice']);
    receiver.voice.send({ op: 15, d: { any: 50 } });
    await sender.voice.message(({ op, d }) => op === 15 && d[ssrc] === 50);
    sender.voice.rtp({ ssrc, payloadType: 105, payload: Buffer.from('wanted') });
    expect((await receiver.voice.received(2))[1]?.ssrc).toBe(ssrc);
  });

  test('over TLS', async () => {
    await using sandbox = await createSandbox({ tls: true, voice: { dave: false } });
    const gateway = new RawClient(
      `${sandbox.gatewayUrl}?v=10&encoding=json`,
      new (await import('ws')).WebSocket(sandbox.gatewayUrl, { ca: sandbox.certificate }),
    );
    gateway.send({ op: 2, d: { token: sandbox.connection.token, intents: 129, properties: {} } });
    await gateway.dispatch('GUILD_CREATE');
    const voice = keep(await VoiceClient.live(await takeTicket(sandbox, gateway), { ca: sandbox.certificate }));
    expect((await voice.op(4)).d.mode).toBe('aead_aes256_gcm_rtpsize');
  });
});

describe('close codes', () => {
  type Misuse = (client: VoiceClient, sandbox: Sandbox, gateway: RawClient) => unknown;
  const live = async (client: VoiceClient): Promise<void> => {
    client.identify();
    await client.select();
  };
  const MISUSES: readonly (readonly [code: number, what: string, misuse: Misuse])[] = [
    [4001, 'an opcode that is none', (client) => client.send({ op: 99, d: {} })],
    [4001, 'an opcode of the server', (client) => client.send({ op: 2, d: {} })],
    [4001, 'a binary opcode of the server', (client) => client.sendRaw(Buffer.from([25, 1]))],
    [4002, 'no JSON', (client) => client.sendRaw('{')],
    [4002, 'no object', (client) => client.sendRaw('[]')],
    [4002, 'no opcode', (client) => client.send({ d: {} })],
    [4002, 'nothing', (client) => client.sendRaw(Buffer.alloc(0))],
    [4002, 'an Identify without a token', (client) => client.identify({ token: undefined })],
    [4002, 'an Identify with streams that are none', (client) => client.identify({ streams: [{ ssrc: -1 }] })],
    [
      4003,
      'a Select Protocol first',
      (client) => client.send({ op: 1, d: { protocol: 'udp', data: { address: '127.0.0.1', port: 1, mode: 'x' } } }),
    ],
    [4003, 'speaking first', (client) => client.send({ op: 5, d: { speaking: 1, ssrc: 1 } })],
    [4004, 'another token', (client) => client.identify({ token: 'nope' })],
    [4004, 'another user', (client, sandbox) => client.identify({ user_id: sandbox.people.owner.id })],
    [
      4005,
      'a second Identify',
      async (client) => {
        client.identify();
        await client.op(2);
        client.identify();
      },
    ],
    [
      4005,
      'a Resume with a session',
      async (client) => {
        client.identify();
        await client.op(2);
        client.resume(-1);
      },
    ],
    [4006, 'another session', (client) => client.identify({ session_id: 'nope' })],
    [4006, 'a Resume of nothing', (client) => client.resume(-1, { session_id: 'nope' })],
    [4006, 'a Resume that never was identified', (client) => client.resume(-1)],
    [4011, 'another server', (client) => client.identify({ server_id: '1' })],
    [4011, 'another channel', (client, sandbox) => client.identify({ channel_id: sandbox.textChannelId })],
    [
      4012,
      'WebRTC',
      async (client) => {
        client.identify();
        await client.op(2);
        client.send({ op: 1, d: { protocol: 'webrtc', data: 'sdp' } });
      },
    ],
    [
      4014,
      'leaving by the main gateway',
      async (client, sandbox, gateway) => {
        await live(client);
        gateway.send({ op: 4, d: { guild_id: sandbox.guildId, channel_id: null } });
      },
    ],
    [
      4014,
      'the end of the main gateway session',
      async (client, _sandbox, gateway) => {
        await live(client);
        gateway.close(1000);
      },
    ],
    [
      4015,
      'a crash',
      async (client, sandbox) => {
        await live(client);
        sandbox.faults.voice.cut({ handshake: true });
      },
    ],
    [
      4016,
      'a mode that is not offered',
      async (client) => {
        client.identify();
        await client.op(2);
        client.send({
          op: 1,
          d: { protocol: 'udp', data: { address: '127.0.0.1', port: 1, mode: 'xsalsa20_poly1305' } },
        });
      },
    ],
    [4020, 'a heartbeat without a time', (client) => client.send({ op: 3, d: {} })],
    [
      4020,
      'speaking in the name of another SSRC',
      async (client) => {
        await live(client);
        client.send({ op: 5, d: { speaking: 1, ssrc: client.ssrc ^ 1 } });
      },
    ],
    [
      4020,
      'video in the name of another SSRC',
      async (client) => {
        await live(client);
        client.send({ op: 12, d: { audio_ssrc: client.ssrc, video_ssrc: 1, rtx_ssrc: 2, streams: [] } });
      },
    ],
    [4020, 'a resume without seq_ack', (client) => client.resume(0, { seq_ack: undefined })],
    [
      4021,
      'too many messages',
      (client) => {
        for (let n = 0; n <= 60; n += 1) client.send({ op: 3, d: { t: n } });
      },
    ],
    [
      4022,
      'the end of the channel',
      async (client, sandbox) => {
        await live(client);
        await sandbox.channels.delete(client.ticket.channelId);
      },
    ],
  ];

  test.each(MISUSES)('%i: %s', async (code, _what, misuse) => {
    await using sandbox = await begin({ voice: { messageLimit: 60 } });
    const { gateway, ticket } = await seat(sandbox);
    const client = keep(VoiceClient.to(ticket));
    await misuse(client, sandbox, gateway);
    const { reason } = VOICE_CLOSE_CODES[code as keyof typeof VOICE_CLOSE_CODES];
    expect(await client.closed).toEqual({ code, reason });
    expect(sandbox.voice.counters.internalErrors).toBe(0);
  });

  test('4009 without heartbeats', async () => {
    const clock = createVirtualClock();
    await using sandbox = await begin({ clock, voice: { heartbeatIntervalMs: 10_000 } });
    const { voice } = await join(sandbox);
    await clock.advance(14_000);
    expect(sandbox.voice.sessions()).toHaveLength(1);
    await voice.settled();
    await clock.advance(14_000);
    await voice.settled();
    await clock.advance(15_000);
    expect((await voice.closed).code).toBe(4009);
    expect(sandbox.voice.sessions()).toEqual([]);
  });

  test('4017 without DAVE, unless it is a stage channel', async () => {
    await using sandbox = await createSandbox();
    const { ticket } = await seat(sandbox);
    const client = keep(VoiceClient.to(ticket));
    client.identify();
    expect((await client.closed).code).toBe(4017);
    const stage = await sandbox.channels.create({ name: 'stage', kind: 'stage' });
    const bot = await sandbox.bots.create({ name: 'speaker' });
    const { voice } = await join(sandbox, { token: bot.token, channelId: stage.id });
    expect((await voice.op(4)).d.dave_protocol_version).toBe(0);
  });

  test.each([0, 3, 7, 10])('4020: version %i', async (version) => {
    await using sandbox = await begin();
    const { ticket } = await seat(sandbox);
    expect((await keep(VoiceClient.to(ticket, { version })).closed).code).toBe(4020);
  });

  test('4006 for the session that another Identify replaces', async () => {
    await using sandbox = await begin();
    const { ticket, voice } = await join(sandbox);
    const again = keep(await VoiceClient.live(ticket));
    expect((await voice.closed).code).toBe(4006);
    expect(again.ssrc).not.toBe(voice.ssrc);
    expect(sandbox.voice.sessions()).toMatchObject([{ connected: true, audioSsrc: again.ssrc }]);
  });

  test('a message of more than 64 KiB', async () => {
    await using sandbox = await begin();
    const { ticket } = await seat(sandbox);
    const client = keep(VoiceClient.to(ticket));
    client.sendRaw(`"${'x'.repeat(70_000)}"`);
    expect((await client.closed).code).toBe(1009);
  });

  test('every code of the table is sent somewhere', () => {
    const sent = new Set([...MISUSES.map(([code]) => code), 4009, 4017]);
    expect([...sent].sort()).toEqual(Object.keys(VOICE_CLOSE_CODES).map(Number));
  });

  test('every opcode of the table has one way each', () => {
    const names = VOICE_OPCODES.map(({ op, from }) => `${op} ${from}`);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('resume', () => {
  test('what was missed comes again, behind Resumed', async () => {
    await using sandbox = await begin();
    const { ticket, voice } = await join(sandbox);
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    await voice.op(11);
    await voice.settled();
    const seen = voice.seq;
    sandbox.faults.voice.cut();
    await voice.closed;
    expect(sandbox.voice.sessions()).toMatchObject([{ connected: false }]);
    await anna.leaveVoice();
    const again = keep(VoiceClient.to(ticket));
    again.resume(seen);
    const missed = await again.op(13);
    expect(missed).toMatchObject({ seq: seen + 1, d: { user_id: anna.id } });
    expect(again.messages.map(({ op }) => op)).toEqual([8, 9, 13]);
    expect(sandbox.voice.sessions()).toMatchObject([{ connected: true }]);
    expect(sandbox.voice.counters).toMatchObject({ resumes: 1, resumesRefused: 0 });
  });

  test('media go on while the connection is gone', async () => {
    await using sandbox = await begin();
    const first = await join(sandbox);
    const second = await joinAnother(sandbox, 'second');
    sandbox.faults.voice.cut({ userId: second.id });
    await second.voice.closed;
    const packets = second.voice.packets;
    first.voice.rtp({ payload: Buffer.from('still there') });
    await first.voice.echoed();
    await expect.poll(() => packets.length).toBe(1);
  });

  test.each([
    ['more than was sent', 60_000],
    ['what the client said it had seen', 0],
  ])('%s cannot be replayed', async (_what, seqAck) => {
    await using sandbox = await begin();
    const { ticket, voice } = await join(sandbox);
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    await voice.op(20);
    await voice.settled();
    voice.ws.terminate();
    const again = keep(VoiceClient.to(ticket));
    again.resume(seqAck);
    expect((await again.closed).code).toBe(4006);
  });

  test('takes over from a connection that is still open', async () => {
    await using sandbox = await begin();
    const { ticket, voice } = await join(sandbox);
    const again = keep(VoiceClient.to(ticket, { version: 9 }));
    again.resume(voice.seq, { channel_id: sandbox.voiceChannelId });
    await again.op(9);
    expect((await voice.closed).code).toBe(4006);
    await again.settled();
  });

  test('not with another token, not after the window, not after being forgotten', async () => {
    await using sandbox = await begin({ voice: { resumeWindowMs: 0 } });
    const { ticket, voice } = await join(sandbox);
    voice.ws.terminate();
    await expect.poll(() => sandbox.voice.sessions()).toEqual([]);
    const late = keep(VoiceClient.to(ticket));
    late.resume(-1);
    expect((await late.closed).code).toBe(4006);
    const other = keep(VoiceClient.to(ticket));
    other.resume(-1, { token: 'nope' });
    expect((await other.closed).code).toBe(4004);
  });
});

describe('whoever is moved', () => {
  test('by a moderator, gets 4014 and another server', async () => {
    await using sandbox = await begin();
    const { gateway, ticket, voice } = await join(sandbox);
    const other = await sandbox.channels.create({ name: 'other', kind: 'voice' });
    await sandbox.people.owner.move(ticket.userId, other.id);
    expect((await voice.closed).code).toBe(4014);
    const update = await gateway.dispatch('VOICE_SERVER_UPDATE', ({ token }) => token !== ticket.token);
    // The token of before is void.
    const old = keep(VoiceClient.to(ticket));
    old.identify();
    expect((await old.closed).code).toBe(4004);
    const again = keep(await VoiceClient.live({ ...ticket, token: update.d.token, channelId: other.id }));
    await again.settled();
    expect(sandbox.voice.channel(other.id)?.userIds).toEqual([ticket.userId]);
    expect(sandbox.voice.channel(sandbox.voiceChannelId)).toBeUndefined();
  });

  test('thrown out, gets 4014 and no server', async () => {
    await using sandbox = await begin();
    const { gateway, ticket, voice } = await join(sandbox);
    await sandbox.people.owner.disconnect(ticket.userId);
    expect((await voice.closed).code).toBe(4014);
    await gateway.settled();
    expect(gateway.frames.filter(({ t }) => t === 'VOICE_SERVER_UPDATE')).toHaveLength(1);
  });

  test('to another voice server, with an outage between', async () => {
    await using sandbox = await begin();
    const { gateway, ticket, voice } = await join(sandbox);
    sandbox.faults.voice.moveServer({ outage: true });
    expect((await voice.closed).code).toBe(4014);
    await gateway.settled();
    const servers = gateway.frames.filter(({ t }) => t === 'VOICE_SERVER_UPDATE').map(({ d }) => d);
    expect(servers.map(({ endpoint }) => endpoint)).toEqual([sandbox.voice.endpoint, null, sandbox.voice.endpoint]);
    keep(await VoiceClient.live({ ...ticket, token: servers[2].token }));
  });

  test('by another region of the channel, gets another server', async () => {
    await using sandbox = await begin();
    const { gateway, ticket, voice } = await join(sandbox);
    const path = `/channels/${sandbox.voiceChannelId}`;
    // Its name alone moves nobody.
    await call(sandbox, 'PATCH', path, { body: { name: 'renamed' } });
    await voice.settled();
    await call(sandbox, 'PATCH', path, { body: { rtc_region: 'us-east' } });
    expect((await voice.closed).code).toBe(4014);
    const update = await gateway.dispatch('VOICE_SERVER_UPDATE', ({ token }) => token !== ticket.token);
    keep(await VoiceClient.live({ ...ticket, token: update.d.token }));
  });

  test('asking again for the same channel gives a server again once the session is over', async () => {
    await using sandbox = await begin();
    const { gateway, ticket, voice } = await join(sandbox);
    sandbox.faults.voice.closeWith(4006);
    await voice.closed;
    const again = await takeTicket(sandbox, gateway);
    expect(again.token).not.toBe(ticket.token);
    // And once more before it has come with that token.
    expect((await takeTicket(sandbox, gateway)).token).toBe(again.token);
    keep(await VoiceClient.live(again));
    gateway.send({ op: 4, d: { guild_id: sandbox.guildId, channel_id: sandbox.voiceChannelId, self_mute: true } });
    await gateway.settled();
    expect(gateway.frames.filter(({ t }) => t === 'VOICE_SERVER_UPDATE')).toHaveLength(3);
  });
});

describe('faults', () => {
  test('heartbeats without an answer', async () => {
    await using sandbox = await begin();
    const { voice } = await join(sandbox);
    sandbox.faults.voice.heartbeatAcks(false);
    voice.send({ op: 3, d: { t: 1, seq_ack: -1 } });
    voice.send({ op: 16, d: {} });
    await voice.op(16);
    expect(voice.messages.some(({ op }) => op === 6)).toBe(false);
    sandbox.faults.clear();
    await voice.settled();
  });

  test.each([
    ['HELLO', 8],
    ['READY', 2],
    ['SESSION_DESCRIPTION', 4],
  ] as const)('%s is withheld', async (what, op) => {
    await using sandbox = await begin();
    sandbox.faults.voice.withhold(what);
    const { ticket } = await seat(sandbox);
    const voice = keep(VoiceClient.to(ticket));
    voice.identify();
    voice.send({
      op: 1,
      d: { protocol: 'udp', data: { address: '127.0.0.1', port: 9, mode: 'aead_aes256_gcm_rtpsize' } },
    });
    await expect.poll(() => sandbox.voice.sessions()[0]?.stage).toBe('live');
    await voice.settled();
    expect(voice.messages.some((message) => message.op === op)).toBe(false);
  });

  test('malformed messages, and codes', async () => {
    await using sandbox = await begin();
    const { voice, ticket } = await join(sandbox);
    sandbox.faults.voice.sendRaw('{"op":77,"d":null}', { userId: ticket.userId });
    await voice.op(77);
    sandbox.faults.voice.closeWith(4021, 'slow down', { channelId: sandbox.voiceChannelId });
    expect(await voice.closed).toEqual({ code: 4021, reason: 'slow down' });
    expect(sandbox.voice.sessions()).toEqual([]);
    expect(() => sandbox.faults.voice.closeWith(1006)).toThrow(RangeError);
    expect(() => sandbox.faults.voice.withhold('RESUME' as never)).toThrow(RangeError);
  });

  test('no token in the log', async () => {
    await using sandbox = await begin();
    const { voice, ticket } = await join(sandbox);
    await voice.settled();
    const log = JSON.stringify(sandbox.traffic.recent);
    expect(log).toContain('IDENTIFY');
    expect(log).not.toContain(ticket.token);
  });
});
