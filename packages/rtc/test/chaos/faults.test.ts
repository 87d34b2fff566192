/** The client over real sockets against a small voice server: what goes wrong on the way. */
import type { DiscordRtcClient, RtcStateChangeEvent } from '@guildkit/rtc';
import { expect, test, vi } from 'vitest';
import { CHANNEL_ID, OTHER_CHANNEL_ID } from '../support/fake-signalling.js';
import { createFastClock } from '../support/fast-clock.js';
import { eventually, nextEvent, setup } from '../support/setup.js';

/** Ten times faster than real: bounds of seconds pass in tenths of them. */
const clock = createFastClock(10);
const backAgain = (rtc: DiscordRtcClient, reason: string) =>
  nextEvent<RtcStateChangeEvent>(rtc, 'stateChange', (event) => event.to === 'ready' && event.reason === reason);
const change = (rtc: DiscordRtcClient, reason: string) =>
  nextEvent<RtcStateChangeEvent>(rtc, 'stateChange', (event) => event.reason === reason);

test('a path that goes dark is probed, given up and made anew', async () => {
  const { server, rtc } = await setup({ clock, keepaliveIntervalMs: 500 });
  await rtc.connect(CHANNEL_ID);
  await eventually(() => expect(rtc.stats().path.keepalivesAnswered).toBeGreaterThan(0));
  const lost = change(rtc, 'udpTimeout');
  server.blackout = true;
  expect(await lost).toMatchObject({ from: 'ready', to: 'waiting' });
  const again = backAgain(rtc, 'described');
  server.blackout = false;
  await again;
  expect(server.identifies).toBeGreaterThan(1);
});

test('lost keepalives of a path that is alive change nothing', async () => {
  const { server, rtc } = await setup({ clock, keepaliveIntervalMs: 500 });
  await rtc.connect(CHANNEL_ID);
  await eventually(() => expect(rtc.stats().path.keepalivesAnswered).toBeGreaterThan(0));
  server.options.answerKeepalives = false;
  const { discoveries } = server;
  // The probe is answered as before: the path is alive.
  await eventually(() => expect(server.discoveries).toBeGreaterThan(discoveries));
  await eventually(() => expect(rtc.stats().path.keepalivesLost).toBeGreaterThan(8));
  expect(rtc.state).toBe('ready');
  expect(server.identifies).toBe(1);
});

test('another address behind the NAT is told to the server', async () => {
  const { server, rtc } = await setup({ clock, keepaliveIntervalMs: 500 });
  await rtc.connect(CHANNEL_ID);
  await eventually(() => expect(rtc.stats().path.keepalivesAnswered).toBeGreaterThan(0));
  server.pretend = { address: '203.0.113.9', port: 40_000 };
  server.options.answerKeepalives = false;
  await change(rtc, 'addressChanged');
  await backAgain(rtc, 'described');
  expect(rtc.stats().path.externalAddress).toBe('203.0.113.9:40000');
  expect(server.identifies).toBe(1);
  expect(
    server
      .peer()
      .received.filter(({ op }) => op === 1)
      .at(-1)?.d,
  ).toMatchObject({
    data: { address: '203.0.113.9', port: 40_000 },
  });
  expect(rtc.stats().gateway.reconnects).toBe(0);
});

test('a server that says nothing is given up after a time', async () => {
  const { server, rtc } = await setup({ clock, connectTimeoutMs: 60_000 }, { silentHello: true });
  const connected = rtc.connect(CHANNEL_ID);
  await change(rtc, 'helloTimeout');
  server.options.silentHello = false;
  await connected;
});

test('a resume that is refused becomes a new session', async () => {
  const { server, rtc } = await setup({}, { closeResume: [4006] });
  await rtc.connect(CHANNEL_ID);
  const again = backAgain(rtc, 'described');
  server.peer().socket.terminate();
  await again;
  expect(server).toMatchObject({ resumes: 1, identifies: 2 });
});

test('a resume carries the last number; repeated messages are taken once', async () => {
  const { server, rtc } = await setup();
  await rtc.connect(CHANNEL_ID);
  const speaking = vi.fn();
  rtc.on('speaking', speaking);
  const user = '852892297661906993';
  const spoken = nextEvent(rtc, 'speaking');
  server.peer().send(5, { user_id: user, ssrc: 7, speaking: 1 }, 65_535);
  await spoken;
  const resumed = backAgain(rtc, 'resumed');
  server.peer().socket.close(4015);
  await resumed;
  const { received } = server.peer();
  expect(received.find(({ op }) => op === 7)?.d).toMatchObject({ seq_ack: 65_535 });
  server.peer().send(5, { user_id: user, ssrc: 7, speaking: 1 }, 65_535);
  const silent = nextEvent(rtc, 'speaking');
  // The counter wraps.
  server.peer().send(5, { user_id: user, ssrc: 7, speaking: 0 }, 0);
  expect(await silent).toMatchObject({ speaking: false });
  expect(speaking).toHaveBeenCalledTimes(2);
  expect(rtc.stats().gateway).toMatchObject({ duplicates: 1, resumes: 1, reconnects: 0 });
  await eventually(() => expect(received.map(({ op }) => op)).toContain(5));
});

test('a heartbeat that is asked for is sent at once', async () => {
  const { server, rtc } = await setup();
  await rtc.connect(CHANNEL_ID);
  server.peer().send(3, null, 4);
  await eventually(() => {
    expect(server.peer().received.find(({ op }) => op === 3)?.d).toMatchObject({ seq_ack: 4 });
  });
});

test('4014 waits for a voice server update, and takes it', async () => {
  const { server, signalling, rtc } = await setup({ clock });
  await rtc.connect(CHANNEL_ID);
  const { length } = signalling.requests;
  const out = change(rtc, 'socketClosed');
  server.peer().socket.close(4014);
  expect(await out).toMatchObject({ to: 'expelled', code: 4014 });
  const again = backAgain(rtc, 'described');
  signalling.server(server.endpoint);
  await again;
  expect(signalling.requests).toHaveLength(length);
});

test('4014 without one is kicked after 5 s', async () => {
  const { server, signalling, rtc } = await setup({ clock });
  await rtc.connect(CHANNEL_ID);
  const { length } = signalling.requests;
  const ended = nextEvent(rtc, 'disconnected');
  const before = clock.now();
  server.peer().socket.close(4014);
  expect(await ended).toMatchObject({ cause: 'kicked', code: 4014, error: { code: 'ERR_RTC_KICKED' } });
  expect(clock.now() - before).toBeGreaterThanOrEqual(5_000);
  // Nothing but the leave.
  expect(signalling.requests.slice(length).map(({ channelId }) => channelId)).toEqual([null]);
});

test('4022 is told as a deleted channel', async () => {
  const { server, signalling, rtc } = await setup();
  await rtc.connect(CHANNEL_ID);
  const ended = nextEvent(rtc, 'disconnected');
  server.peer().socket.close(4022);
  await change(rtc, 'socketClosed');
  signalling.state(null);
  expect(await ended).toMatchObject({ cause: 'channelDeleted' });
});

test('a voice state that says so is followed by the close code that says why', async () => {
  const { server, signalling, rtc } = await setup();
  await rtc.connect(CHANNEL_ID);
  const ended = nextEvent(rtc, 'disconnected');
  signalling.state(null);
  expect(rtc.state).toBe('expelled');
  server.peer().socket.close(4022);
  expect(await ended).toMatchObject({ cause: 'channelDeleted', code: 4022 });
});

test('a move comes with a new server: media go on there', async () => {
  const { server, signalling, rtc } = await setup();
  await rtc.connect(CHANNEL_ID);
  const moved = nextEvent(rtc, 'moved');
  const again = backAgain(rtc, 'described');
  signalling.state(OTHER_CHANNEL_ID);
  signalling.server(server.endpoint);
  expect(await moved).toEqual({ from: CHANNEL_ID, to: OTHER_CHANNEL_ID });
  await again;
  expect(server.identifies).toBe(2);
});

test('a move that no server update follows is signalled', async () => {
  const { signalling, rtc } = await setup({ clock });
  await rtc.connect(CHANNEL_ID);
  const again = backAgain(rtc, 'described');
  signalling.state(OTHER_CHANNEL_ID);
  await again;
  expect(signalling.requests.at(-1)?.channelId).toBe(OTHER_CHANNEL_ID);
});

test('what others send is heard over every session, what was announced is told again', async () => {
  const { server, rtc } = await setup();
  await rtc.connect(CHANNEL_ID);
  const sender = rtc.sendAudio(Array.from({ length: 500 }, () => Uint8Array.from([0xfc, 1, 2, 3])));
  await eventually(() => expect(server.packets.length).toBeGreaterThan(3));
  const again = backAgain(rtc, 'described');
  server.peer().socket.close(4009);
  await again;
  const { received, ssrc } = server.peer();
  const { length } = server.packets;
  await eventually(() => {
    expect(received.filter(({ op }) => op === 5).map(({ d }) => d)).toContainEqual({ speaking: 1, delay: 0, ssrc });
    expect(server.packets.length).toBeGreaterThan(length + 3);
  });
  expect(server.packets.at(-1)?.readUInt32BE(8)).toBe(ssrc);
  sender.stop();
});

test('datagrams that are nothing are counted', async () => {
  const { server, rtc } = await setup();
  await rtc.connect(CHANNEL_ID);
  server.sendDatagram(Buffer.from('80f8', 'hex'));
  server.sendDatagram(Buffer.alloc(0));
  server.sendDatagram(Buffer.concat([Buffer.from('80780001000000010000000a', 'hex'), Buffer.alloc(40)]));
  await eventually(() => {
    const { packetsForged, packetsMalformed } = rtc.stats().path;
    expect(packetsForged).toBe(1);
    expect(packetsMalformed).toBeGreaterThan(0);
  });
  expect(rtc.state).toBe('ready');
});

test('no secret is printed', async () => {
  const lines: string[] = [];
  const write = (fields: object, message: string): void => void lines.push(JSON.stringify(fields) + message);
  const { server, rtc } = await setup({ logger: { debug: write, info: write, warn: write, error: write } });
  rtc.on('error', (error) => lines.push(JSON.stringify({ ...error, message: error.message, stack: error.stack })));
  await rtc.connect(CHANNEL_ID);
  server.peer().socket.send('{"op":4,"d":{"secret_key":"k-e-y"');
  await nextEvent(rtc, 'error');
  server.peer().socket.close(4004);
  await nextEvent(rtc, 'disconnected');
  expect(lines.length).toBeGreaterThan(5);
  expect(lines.join('\n')).not.toMatch(/voice-token|k-e-y/);
});
