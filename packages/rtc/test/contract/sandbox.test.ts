/** The client against the sandbox: joins, cuts, moves and ends, with end-to-end encryption. */
import { DiscordRtcClient, type DiscordRtcClientOptions, type RtcStateChangeEvent } from '@guildkit/rtc';
import { createSandbox, type Sandbox, type SandboxOptions } from '@guildkit/sandbox';
import { expect, onTestFinished, test } from 'vitest';
import { connectSignalling } from '../support/sandbox-signalling.js';
import { eventually, nextEvent } from '../support/setup.js';

async function open(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await createSandbox({ seed: 5, ...options });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

async function join(sandbox: Sandbox, token?: string, options: Partial<DiscordRtcClientOptions> = {}) {
  const signalling = await connectSignalling(sandbox, token);
  const rtc = new DiscordRtcClient({
    signalling,
    guildId: sandbox.guildId,
    backoff: { baseMs: 10, capMs: 50 },
    ...options,
  });
  onTestFinished(async () => {
    await rtc[Symbol.asyncDispose]();
    signalling.close();
  });
  await rtc.connect(sandbox.voiceChannelId);
  return { rtc, userId: signalling.userId };
}

async function pair(sandbox: Sandbox) {
  const bot = await sandbox.bots.create({ name: 'second' });
  const a = await join(sandbox);
  const b = await join(sandbox, bot.token);
  await eventually(() => {
    expect(a.rtc.encryption).toMatchObject({ activity: 'active' });
    expect(b.rtc.encryption).toEqual(a.rtc.encryption);
  });
  return { a, b };
}

const until = (rtc: DiscordRtcClient, phase: string) =>
  nextEvent<RtcStateChangeEvent>(rtc, 'stateChange', ({ to }) => to === phase);

/** Opus packets of 20 ms that can be told apart. */
async function* packets(from: number, count: number): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < count; n += 1) yield Uint8Array.from([0xfc, from, n >> 8, n & 255, 0, 1, 2, 3, 4, 5]);
}

const heard = (rtc: DiscordRtcClient, userId: string): Uint8Array[] => {
  const all: Uint8Array[] = [];
  rtc.onAudio(
    ({ opus }) => {
      if (opus !== undefined && opus.length === 10) all.push(opus);
    },
    { userId },
  );
  return all;
};

test('two clients hear each other, encrypted end to end', async () => {
  const { a, b } = await pair(await open());
  expect(a.rtc.encryption.epochCode).toMatch(/^\d{30}$/);
  expect(await a.rtc.verificationCode(b.userId)).toBe(await b.rtc.verificationCode(a.userId));
  const byB = heard(b.rtc, a.userId);
  const byA = heard(a.rtc, b.userId);
  const speaking = nextEvent(b.rtc, 'speaking');
  await Promise.all([a.rtc.sendAudio(packets(1, 25)).finished, b.rtc.sendAudio(packets(2, 25)).finished]);
  await eventually(() => {
    expect(byA.map(([, , , n]) => n)).toEqual(Array.from({ length: 25 }, (_, n) => n));
    expect(byB.map(([, , , n]) => n)).toEqual(Array.from({ length: 25 }, (_, n) => n));
  });
  expect(await speaking).toMatchObject({ userId: a.userId, speaking: true });
  expect(b.rtc.stats()).toMatchObject({ path: { packetsForged: 0 }, dave: { activity: 'active', decryptFailed: 0 } });
});

test('with TLS', async () => {
  const sandbox = await open({ tls: true });
  const { rtc } = await join(sandbox, undefined, { ca: sandbox.certificate });
  expect(rtc.state).toBe('ready');
});

test('a certificate that is not trusted is named', async () => {
  const sandbox = await open({ tls: true });
  const failing = join(sandbox, undefined, { connectTimeoutMs: 1_000 });
  await expect(failing).rejects.toMatchObject({
    code: 'ERR_RTC_CONNECT_TIMEOUT',
    message: expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY|CERT/),
  });
});

test('without DAVE the server refuses with 4017', async () => {
  const sandbox = await open();
  await expect(join(sandbox, undefined, { dave: false })).rejects.toMatchObject({ code: 'ERR_RTC_DAVE_REQUIRED' });
});

test.each([
  'aead_aes256_gcm_rtpsize',
  'aead_xchacha20_poly1305_rtpsize',
  'xsalsa20_poly1305',
  'xsalsa20_poly1305_suffix',
  'xsalsa20_poly1305_lite',
  'xsalsa20_poly1305_lite_rtpsize',
] as const)('mode %s', async (mode) => {
  const { rtc } = await join(await open({ voice: { modes: [mode] } }));
  expect(rtc.stats().mode).toBe(mode);
});

test('IPv6 media', async () => {
  const { rtc } = await join(await open({ voice: { ipv6: true } }));
  await eventually(() => expect(rtc.stats().path).toMatchObject({ keepalivesAnswered: 1 }));
});

test.each([true, false])(
  'a cut is resumed, media and encryption go on (handshake: %s)',
  async (handshake) => {
    const sandbox = await open();
    const { a, b } = await pair(sandbox);
    const { epochCode } = a.rtc.encryption;
    const byB = heard(b.rtc, a.userId);
    const sender = a.rtc.sendAudio(packets(1, 40));
    await eventually(() => expect(byB.length).toBeGreaterThan(3));
    const resumed = until(a.rtc, 'ready');
    sandbox.faults.voice.cut({ handshake, userId: a.userId });
    expect(await resumed).toMatchObject({ reason: 'resumed' });
    await sender.finished;
    await eventually(() => expect(byB).toHaveLength(40));
    expect(a.rtc.encryption.epochCode).toBe(epochCode);
    expect(a.rtc.stats().gateway).toMatchObject({ resumes: 1, reconnects: 0 });
    expect(sandbox.voice.counters).toMatchObject({ resumes: 1 });
  },
  15_000,
);

test('a session that the server has forgotten is made anew, and heard again', async () => {
  const sandbox = await open();
  const { a, b } = await pair(sandbox);
  const byB = heard(b.rtc, a.userId);
  const again = nextEvent<RtcStateChangeEvent>(
    a.rtc,
    'stateChange',
    ({ to, reason }) => to === 'ready' && reason === 'described',
  );
  sandbox.faults.voice.closeWith(4006, '', { userId: a.userId });
  await again;
  await eventually(() => {
    expect(a.rtc.encryption.activity).toBe('active');
    expect(b.rtc.encryption).toEqual(a.rtc.encryption);
  });
  await a.rtc.sendAudio(packets(3, 10)).finished;
  await eventually(() => expect(byB).toHaveLength(10));
  expect(a.rtc.stats().gateway).toMatchObject({ reconnects: 1 });
});

test.each([true, false])('another voice server (outage first: %s)', async (outage) => {
  const sandbox = await open();
  const { rtc } = await join(sandbox);
  const again = nextEvent<RtcStateChangeEvent>(
    rtc,
    'stateChange',
    ({ to, reason }) => to === 'ready' && reason === 'described',
  );
  sandbox.faults.voice.moveServer({ outage });
  await again;
  expect(rtc.channelId).toBe(sandbox.voiceChannelId);
});

test('a dead peer is noticed and the session resumed', async () => {
  const sandbox = await open({ voice: { heartbeatIntervalMs: 50 } });
  const { rtc } = await join(sandbox);
  await eventually(() => expect(rtc.stats().gateway.latencyMs).toBeGreaterThanOrEqual(0));
  const lost = nextEvent<RtcStateChangeEvent>(rtc, 'stateChange', ({ to }) => to === 'waiting');
  const back = until(rtc, 'ready');
  sandbox.faults.voice.heartbeatAcks(false);
  expect(await lost).toMatchObject({ reason: 'heartbeatTimeout' });
  sandbox.faults.voice.heartbeatAcks(true);
  expect(await back).toMatchObject({ reason: 'resumed' });
});

test('malformed messages are told and change nothing', async () => {
  const sandbox = await open();
  const { rtc } = await join(sandbox);
  const error = nextEvent(rtc, 'error');
  sandbox.faults.voice.sendRaw('{"op":5,"d":');
  sandbox.faults.voice.sendRaw(Buffer.from([1]));
  expect(await error).toMatchObject({ code: 'ERR_RTC_FRAME_MALFORMED' });
  await eventually(() => expect(rtc.stats().gateway.malformed).toBe(2));
  expect(rtc.state).toBe('ready');
});

/** Discord's REST, as a moderator's bot uses it. */
async function rest(sandbox: Sandbox, method: string, path: string, body?: object) {
  const response = await fetch(`${sandbox.connection.apiBase}${path}`, {
    method,
    headers: { authorization: `Bot ${sandbox.connection.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return response.status === 204 ? undefined : ((await response.json()) as { id: string });
}

const createChannel = async (sandbox: Sandbox): Promise<string> =>
  (await rest(sandbox, 'POST', `/guilds/${sandbox.guildId}/channels`, { name: 'Table', type: 2 }))?.id ?? '';

test('who is moved follows, and is heard there', async () => {
  const sandbox = await open();
  const { a, b } = await pair(sandbox);
  const elsewhere = await createChannel(sandbox);
  const moved = nextEvent(b.rtc, 'moved');
  const again = nextEvent<RtcStateChangeEvent>(
    b.rtc,
    'stateChange',
    ({ to, reason }) => to === 'ready' && reason === 'described',
  );
  await rest(sandbox, 'PATCH', `/guilds/${sandbox.guildId}/members/${b.userId}`, { channel_id: elsewhere });
  expect(await moved).toEqual({ from: sandbox.voiceChannelId, to: elsewhere });
  await again;
  expect(b.rtc.channelId).toBe(elsewhere);
  await a.rtc.connect(elsewhere);
  await eventually(() => {
    expect(a.rtc.encryption.activity).toBe('active');
    expect(b.rtc.encryption).toEqual(a.rtc.encryption);
  });
  const byB = heard(b.rtc, a.userId);
  await a.rtc.sendAudio(packets(4, 10)).finished;
  await eventually(() => expect(byB).toHaveLength(10));
});

test('who is kicked stays out', async () => {
  const sandbox = await open();
  const { rtc, userId } = await join(sandbox);
  const ended = nextEvent(rtc, 'disconnected');
  await rest(sandbox, 'PATCH', `/guilds/${sandbox.guildId}/members/${userId}`, { channel_id: null });
  expect(await ended).toMatchObject({ cause: 'kicked', error: { code: 'ERR_RTC_KICKED' } });
  expect(rtc.state).toBe('idle');
  await rtc.connect(sandbox.voiceChannelId);
  expect(rtc.state).toBe('ready');
});

test('a deleted channel ends the connection', async () => {
  const sandbox = await open();
  const { rtc } = await join(sandbox);
  const channelId = await createChannel(sandbox);
  await rtc.connect(channelId);
  const ended = nextEvent(rtc, 'disconnected');
  await rest(sandbox, 'DELETE', `/channels/${channelId}`);
  expect(await ended).toMatchObject({ cause: 'channelDeleted', error: { code: 'ERR_RTC_CHANNEL_DELETED' } });
});

test('who comes, speaks and leaves is told', async () => {
  const sandbox = await open();
  const { a, b } = await pair(sandbox);
  const person = await sandbox.people.create({ name: 'player-1' });
  const joined = nextEvent(a.rtc, 'userJoined');
  await person.joinVoice(sandbox.voiceChannelId);
  expect(await joined).toEqual({ userId: person.id });
  const left = nextEvent(a.rtc, 'userLeft');
  await person.leaveVoice();
  expect(await left).toEqual({ userId: person.id });
  const gone = nextEvent(a.rtc, 'userLeft');
  await b.rtc.disconnect();
  expect(await gone).toEqual({ userId: b.userId });
});
