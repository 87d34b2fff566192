/** The client over real sockets against a small voice server: ways in and out. */
import { DiscordRtcClient, RtcError, type RtcStateChangeEvent } from '@guildkit/rtc';
import { expect, test, vi } from 'vitest';
import { CHANNEL_ID, createFakeSignalling, GUILD_ID, OTHER_CHANNEL_ID } from '../support/fake-signalling.js';
import { eventually, nextEvent, setup } from '../support/setup.js';

const phases = (rtc: DiscordRtcClient): string[] => {
  const seen: string[] = [];
  rtc.on('stateChange', ({ to }) => seen.push(to));
  return seen;
};

test.each(['state first', 'server first'] as const)('joins and leaves, %s', async (order) => {
  const { server, signalling, rtc } = await setup();
  signalling.order = order;
  const seen = phases(rtc);
  await rtc.connect(CHANNEL_ID, { selfMute: true });
  expect(rtc.state).toBe('ready');
  expect(rtc.channelId).toBe(CHANNEL_ID);
  expect(seen).toEqual(['signalling', 'opening', 'identifying', 'discovering', 'selecting', 'ready']);
  const { received, ssrc } = server.peer();
  expect(received[0]).toMatchObject({
    op: 0,
    d: { server_id: GUILD_ID, user_id: signalling.userId, max_dave_protocol_version: 0, video: true },
  });
  expect(received[1]).toMatchObject({ op: 1, d: { protocol: 'udp', data: { address: '127.0.0.1' } } });
  await eventually(() => {
    expect(received[2]).toEqual({ op: 5, d: { speaking: 0, delay: 0, ssrc } });
    expect(rtc.stats().path).toMatchObject({ keepalivesAnswered: 1, keepalivesLost: 0 });
  });
  expect(rtc.stats().path.roundTripMs).toBeGreaterThanOrEqual(0);
  const ended = nextEvent(rtc, 'disconnected');
  await Promise.all([rtc.disconnect(), rtc.disconnect()]);
  expect(await ended).toEqual({ cause: 'closed', code: undefined, error: undefined });
  expect(rtc.state).toBe('idle');
  expect(signalling.listeners).toBe(0);
  expect(signalling.requests).toEqual([
    { guildId: GUILD_ID, channelId: CHANNEL_ID, selfMute: true, selfDeaf: false },
    { guildId: GUILD_ID, channelId: null, selfMute: false, selfDeaf: false },
  ]);
});

test('connects again after leaving, and at once', async () => {
  const { server, rtc } = await setup();
  await rtc.connect(CHANNEL_ID);
  const gone = rtc.disconnect();
  await rtc.connect(CHANNEL_ID);
  // It waits for what it has closed, not for what came after.
  await gone;
  expect(rtc.state).toBe('ready');
  expect(server.identifies).toBe(2);
});

test('an IPv6 voice server', async () => {
  const { rtc } = await setup({}, { host: '::1' });
  await rtc.connect(CHANNEL_ID);
  expect(rtc.stats().path.externalAddress).toMatch(/^\[::1\]:\d+$/);
});

test('lost discovery datagrams are sent again', async () => {
  const { server, rtc } = await setup({}, { loseDiscovery: 2 });
  await rtc.connect(CHANNEL_ID);
  expect(server.discoveries).toBe(3);
});

test.each(['aead_xchacha20_poly1305_rtpsize', 'aead_aes256_gcm_rtpsize'] as const)(
  'takes what is offered: %s',
  async (mode) => {
    const { rtc } = await setup({}, { modes: [mode, 'xsalsa20_poly1305_lite', 'unheard of'] });
    await rtc.connect(CHANNEL_ID);
    expect(rtc.stats().mode).toBe(mode);
  },
);

test('legacy encryption only with nothing else, and with a warning', async () => {
  const warn = vi.fn();
  const ignore = (): void => {};
  const logger = { debug: ignore, info: ignore, warn, error: ignore };
  const { rtc } = await setup({ logger }, { modes: ['xsalsa20_poly1305_lite'] });
  await rtc.connect(CHANNEL_ID);
  expect(rtc.stats().mode).toBe('xsalsa20_poly1305_lite');
  expect(warn).toHaveBeenCalledWith(
    { guildId: GUILD_ID, mode: 'xsalsa20_poly1305_lite' },
    expect.stringContaining('legacy'),
  );
});

test.each([
  [4004, 'ERR_RTC_SESSION_REFUSED'],
  [4016, 'ERR_RTC_MODE_UNSUPPORTED'],
  [4017, 'ERR_RTC_DAVE_REQUIRED'],
  [4021, 'ERR_RTC_RATE_LIMITED'],
])('close code %i is fatal', async (code, expected) => {
  const { server, signalling, rtc } = await setup({}, { closeIdentify: [code] });
  const ended = nextEvent(rtc, 'disconnected');
  const told = nextEvent<RtcError>(rtc, 'error');
  await expect(rtc.connect(CHANNEL_ID)).rejects.toMatchObject({ code: expected, status: code });
  expect(await ended).toMatchObject({ cause: 'fatal', code });
  expect((await told).code).toBe(expected);
  expect(server.identifies).toBe(1);
  expect(signalling.requests.at(-1)?.channelId).toBeNull();
});

test('no common encryption mode is fatal', async () => {
  const { rtc } = await setup({ modes: ['aead_aes256_gcm_rtpsize'] }, { modes: ['aead_xchacha20_poly1305_rtpsize'] });
  await expect(rtc.connect(CHANNEL_ID)).rejects.toMatchObject({ code: 'ERR_RTC_MODE_UNSUPPORTED' });
});

test('other close codes are signalled again', async () => {
  const { server, signalling, rtc } = await setup({}, { closeIdentify: [4006, 4011, 4020] });
  await rtc.connect(CHANNEL_ID);
  expect(server.identifies).toBe(4);
  expect(signalling.requests).toHaveLength(4);
});

test('an endpoint of null is waited out', async () => {
  const { server, signalling, rtc } = await setup();
  signalling.silent = true;
  const connected = rtc.connect(CHANNEL_ID);
  await nextEvent<RtcStateChangeEvent>(rtc, 'stateChange');
  signalling.state(CHANNEL_ID);
  signalling.server(null);
  expect(rtc.state).toBe('signalling');
  signalling.server(server.endpoint);
  await connected;
});

test('connect() gives up by its time', async () => {
  const { signalling, rtc } = await setup({ connectTimeoutMs: 50 });
  signalling.silent = true;
  await expect(rtc.connect(CHANNEL_ID)).rejects.toMatchObject({ code: 'ERR_RTC_JOIN_TIMEOUT', retryable: true });
  expect(rtc.state).toBe('idle');
});

test('connect() gives up by its signal, and by disconnect()', async () => {
  const { signalling, rtc } = await setup();
  signalling.silent = true;
  const reason = new Error('enough');
  const abort = new AbortController();
  const first = rtc.connect(CHANNEL_ID, { signal: abort.signal });
  await nextEvent(rtc, 'stateChange');
  await expect(rtc.connect(CHANNEL_ID)).rejects.toMatchObject({ code: 'ERR_RTC_CLIENT_BUSY' });
  abort.abort(reason);
  await expect(first).rejects.toMatchObject({ code: 'ERR_RTC_CONNECT_ABORTED', cause: reason });
  await expect(rtc.connect(CHANNEL_ID, { signal: abort.signal })).rejects.toMatchObject({
    code: 'ERR_RTC_CONNECT_ABORTED',
  });
  const second = rtc.connect(CHANNEL_ID);
  const gone = rtc.disconnect();
  await expect(second).rejects.toMatchObject({ code: 'ERR_RTC_CONNECT_ABORTED' });
  await gone;
  expect(rtc.state).toBe('idle');
});

test('what the gateway throws is the cause', async () => {
  const { signalling, rtc } = await setup({ connectTimeoutMs: 50, backoff: { baseMs: 5, capMs: 5 } });
  const cause = new Error('no shard');
  signalling.failures = Array.from({ length: 100 }, () => cause);
  await expect(rtc.connect(CHANNEL_ID)).rejects.toMatchObject({ code: 'ERR_RTC_SIGNALLING_FAILED', cause });
});

test('without a user id there is no join', async () => {
  const { signalling, rtc } = await setup();
  signalling.userId = undefined;
  await expect(rtc.connect(CHANNEL_ID)).rejects.toMatchObject({ code: 'ERR_RTC_SIGNALLING_UNREADY' });
  expect(signalling.requests).toEqual([]);
});

test('goes over to another channel', async () => {
  const { server, signalling, rtc } = await setup();
  await rtc.connect(CHANNEL_ID);
  await rtc.connect(OTHER_CHANNEL_ID);
  expect(rtc.channelId).toBe(OTHER_CHANNEL_ID);
  expect(server.identifies).toBe(2);
  await rtc.connect(OTHER_CHANNEL_ID, { selfDeaf: true });
  expect(server.identifies).toBe(2);
  expect(signalling.requests.at(-1)).toMatchObject({ channelId: OTHER_CHANNEL_ID, selfDeaf: true });
});

test('a client that was disposed of does nothing', async () => {
  const { rtc } = await setup();
  await rtc[Symbol.asyncDispose]();
  await expect(rtc.connect(CHANNEL_ID)).rejects.toMatchObject({ code: 'ERR_RTC_CLIENT_CLOSED' });
  expect(() => rtc.onAudio(() => {})).toThrow(RtcError);
});

test('options are checked', () => {
  const signalling = createFakeSignalling();
  const make = (options: object) => () => new DiscordRtcClient({ signalling, guildId: GUILD_ID, ...options });
  expect(make({ guildId: 'x' })).toThrow('option "guildId" must be an id');
  expect(make({ signalling: {} })).toThrow('option "signalling" must have the methods');
  expect(make({ modes: [] })).toThrow('option "modes"');
  expect(make({ modes: ['rot13'] })).toThrow('option "modes"');
  expect(make({ videoCodecs: ['VP8', 'VP8'] })).toThrow('option "videoCodecs"');
  expect(make({ rtpHeaderExtensions: { playoutDelay: 15 } })).toThrow('option "rtpHeaderExtensions"');
  expect(make({ rtpHeaderExtensions: { audioLevel: 5, playoutDelay: 5 } })).toThrow('different ids');
  expect(make({ backoff: { baseMs: -1, capMs: 5 } })).toThrow('option "backoff"');
  expect(make({ unheardOf: 1 })).toThrow('unknown option "unheardOf"');
  expect(make({ dave: undefined, modes: undefined, userId: undefined })).not.toThrow();
});
