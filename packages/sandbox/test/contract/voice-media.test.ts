/** The media server over real sockets: discovery, keepalives, forwarding in every mode, RTCP, what is dropped, and faults. */
import { ENCRYPTION_MODES, type EncryptionMode, type RtcpPacket, toRtx } from '@guildkit/rtp';
import { createSandbox, type MediaFaultOptions, type Sandbox, type SandboxOptions } from '@guildkit/sandbox';
import { createVirtualClock } from '@guildkit/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { seat, VoiceClient } from '../support/voice-client.js';

const open: VoiceClient[] = [];
afterEach(() => {
  for (const client of open.splice(0)) client.end();
});

type LiveOptions = NonNullable<Parameters<typeof VoiceClient.live>[1]>;

const begin = (options: SandboxOptions = {}): Promise<Sandbox> =>
  createSandbox({ rateLimits: false, ...options, voice: { dave: false, ...options.voice } });

/** So many clients in the voice channel, each told of the others. */
async function crowd(sandbox: Sandbox, count: number, options: LiveOptions = {}): Promise<VoiceClient[]> {
  const clients: VoiceClient[] = [];
  for (let n = 0; n < count; n += 1) {
    const token = n === 0 ? undefined : (await sandbox.bots.create({ name: `bot ${n}` })).token;
    const { ticket } = await seat(sandbox, token);
    const client = await VoiceClient.live(ticket, options);
    open.push(client);
    await client.settled();
    clients.push(client);
  }
  return clients;
}

async function pair(sandbox: Sandbox, options: LiveOptions = {}) {
  const [a, b] = await crowd(sandbox, 2, options);
  return { a: a as VoiceClient, b: b as VoiceClient };
}

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const texts = (client: VoiceClient): string[] => client.packets.map(({ payload }) => Buffer.from(payload).toString());

describe('forwarding', () => {
  test.each(ENCRYPTION_MODES)('%s: bit by bit, with extension, CSRCs and padding', async (mode: EncryptionMode) => {
    await using sandbox = await begin({ voice: { modes: [mode] } });
    const { a, b } = await pair(sandbox, { mode });
    a.speak();
    const extension = { profile: 0xbede, data: new Uint8Array([0x10, 0xff, 0, 0]) };
    a.rtp({ payload: bytes('plain'), marker: true });
    a.rtp({ payload: bytes('extended'), extension, csrcs: mode.includes('rtpsize') ? [1, 2] : [] });
    a.rtp({ payload: bytes('padded'), paddingLength: 9, extension });
    b.rtp({ payload: bytes('back') });
    const packets = await b.received(3);
    expect(texts(b)).toEqual(['plain', 'extended', 'padded']);
    expect(packets[0]).toMatchObject({ ssrc: a.ssrc, payloadType: 120, sequenceNumber: 0, marker: true });
    expect(packets[2]).toMatchObject({ paddingLength: 9, extension: { profile: 0xbede } });
    expect((await a.received(1))[0]?.ssrc).toBe(b.ssrc);
    expect(sandbox.voice.packets.dropped).toEqual({});
    expect(sandbox.voice.sessions()[0]).toMatchObject({ mode, media: { packetsIn: 4, packetsOut: 2, rebinds: 0 } });
  });

  test('25 clients: everyone hears everyone else, nobody themselves', async () => {
    await using sandbox = await begin();
    const clients = await crowd(sandbox, 25);
    for (const [n, client] of clients.entries()) {
      client.speak();
      client.rtp({ payload: bytes(`from ${n}`) });
    }
    for (const [n, client] of clients.entries()) {
      await client.received(24);
      expect(texts(client).sort()).toEqual(clients.flatMap((_, from) => (from === n ? [] : [`from ${from}`])).sort());
    }
    expect(sandbox.voice.packets.packetsOut).toBe(25 * 24 + 25);
    expect(sandbox.voice.packets.dropped).toEqual({});
    expect(clients[24]?.messages.find(({ op }) => op === 11)?.d.user_ids).toHaveLength(24);
  }, 20_000);

  test('channels do not hear each other; who is muted or deaf', async () => {
    await using sandbox = await begin();
    const { a, b } = await pair(sandbox);
    const other = await sandbox.channels.create({ name: 'other', kind: 'voice' });
    const bot = await sandbox.bots.create({ name: 'elsewhere' });
    const { ticket, gateway } = await seat(sandbox, bot.token, other.id);
    const c = await VoiceClient.live(ticket);
    open.push(c);
    const { owner } = sandbox.people;
    await owner.mute(a.ticket.userId);
    a.rtp({ payload: bytes('muted') });
    await a.echoed();
    await owner.mute(a.ticket.userId, false);
    a.rtp({ payload: bytes('heard') });
    await b.received(1);
    await owner.deafen(b.ticket.userId);
    a.rtp({ payload: bytes('to the deaf') });
    const { ssrc } = a.streams[0] as { ssrc: number };
    a.rtp({ ssrc, payloadType: 105, payload: bytes('seen') });
    await b.received(2);
    expect(texts(b)).toEqual(['heard', 'seen']);
    expect(c.packets).toEqual([]);
    expect(sandbox.voice.packets).toMatchObject({ dropped: { muted: 1 }, unannounced: 3 });
    gateway.close(1000);
  });

  test('video, retransmissions and RTCP reach whom they are for', async () => {
    await using sandbox = await begin();
    const [a, b, c] = (await crowd(sandbox, 3)) as [VoiceClient, VoiceClient, VoiceClient];
    const { ssrc, rtx_ssrc: rtx } = a.streams[0] as { ssrc: number; rtx_ssrc: number };
    a.send({ op: 12, d: { audio_ssrc: a.ssrc, video_ssrc: ssrc, rtx_ssrc: rtx, streams: [] } });
    await a.settled();
    const frame = { payloadType: 105, ssrc, sequenceNumber: 7, timestamp: 90, payload: bytes('frame') };
    a.rtp(frame);
    a.rtp(toRtx(frame, { ssrc: rtx, payloadType: 106, sequenceNumber: 0 }));
    expect((await b.received(2)).map((packet) => packet.ssrc)).toEqual([ssrc, rtx]);
    await c.received(2);

    const report = (of: number) => ({
      ssrc: of,
      fractionLost: 1,
      packetsLost: 1,
      highestSequenceNumber: 7,
      jitter: 2,
      lastSenderReport: 3,
      delaySinceLastSenderReport: 4,
    });
    const asked: RtcpPacket[] = [
      { type: 'receiverReport', ssrc: b.ssrc, reports: [report(ssrc), report(c.ssrc)] },
      { type: 'nack', senderSsrc: b.ssrc, mediaSsrc: ssrc, sequenceNumbers: [7, 9] },
      { type: 'pictureLossIndication', senderSsrc: b.ssrc, mediaSsrc: ssrc },
      { type: 'fullIntraRequest', senderSsrc: b.ssrc, mediaSsrc: 0, requests: [{ ssrc, sequenceNumber: 1 }] },
      { type: 'receiverEstimatedBitrate', senderSsrc: b.ssrc, mediaSsrc: 0, bitsPerSecond: 131_072, ssrcs: [ssrc] },
      { type: 'nack', senderSsrc: b.ssrc, mediaSsrc: 1, sequenceNumbers: [1] },
      { type: 'pictureLossIndication', senderSsrc: a.ssrc, mediaSsrc: ssrc },
    ];
    b.sendRtcp(asked);
    await a.until(() => a.rtcp.length >= 5);
    expect(a.rtcp).toEqual([{ ...asked[0], reports: [report(ssrc)] }, ...asked.slice(1, 5)]);
    await c.until(() => c.rtcp.length >= 1);
    expect(c.rtcp).toEqual([{ ...asked[0], reports: [report(c.ssrc)] }]);
    expect(sandbox.voice.packets.dropped).toEqual({ aimless: 1, spoofedSsrc: 1 });

    a.sendRtcp([
      {
        type: 'senderReport',
        ssrc,
        ntpTime: 5n,
        rtpTimestamp: 6,
        packetCount: 7,
        octetCount: 8,
        reports: [report(b.ssrc)],
      },
      { type: 'sourceDescription', chunks: [{ ssrc, items: [{ type: 1, text: bytes('a') }] }] },
      { type: 'goodbye', ssrcs: [ssrc] },
    ]);
    await b.until(() => b.rtcp.length >= 4);
    expect(b.rtcp.map(({ type }) => type)).toEqual(['senderReport', 'receiverReport', 'sourceDescription', 'goodbye']);
    expect(b.rtcp[0]).toMatchObject({ ssrc, packetCount: 7, reports: [] });
    expect(b.rtcp[1]).toEqual({ type: 'receiverReport', ssrc, reports: [report(b.ssrc)] });
  });

  test('selecting again changes the key', async () => {
    await using sandbox = await begin();
    const { a, b } = await pair(sandbox);
    const old = b.cipher;
    await b.select('aead_xchacha20_poly1305_rtpsize');
    expect(b.cipher?.mode).toBe('aead_xchacha20_poly1305_rtpsize');
    expect(old?.mode).toBe('aead_aes256_gcm_rtpsize');
    a.rtp({ payload: bytes('again') });
    expect(texts(await b.received(1).then(() => b))).toEqual(['again']);
    expect(a.messages.filter(({ op }) => op === 13)).toEqual([]);
  });
});

describe('datagrams', () => {
  test.each([
    ['IPv4', {}, '127.0.0.1'],
    ['IPv6', { voice: { ipv6: true } }, '::1'],
    ['IPv6, the gateway too', { host: '::1' }, '::1'],
    ['a name', { host: 'localhost' }, '127.0.0.1'],
  ] as const)('discovery and keepalives over %s', async (_name, options, address) => {
    await using sandbox = await begin(options);
    const { ticket } = await seat(sandbox);
    const client = VoiceClient.to(ticket);
    open.push(client);
    client.identify();
    expect((await client.op(2)).d.ip).toBe(address);
    const udp = await client.openUdp();
    expect(await client.discover(client.ssrc)).toEqual({ address, port: udp.address().port });
    expect(client.others[0]).toHaveLength(74);
    expect(client.others[0]?.readUInt32BE(4)).toBe(client.ssrc);
    client.datagram(Buffer.from('1337cafe0000002a', 'hex'));
    await client.until(() => client.others.length === 2);
    expect(client.others[1]?.toString('hex')).toBe('1337f00d0000002a');
    expect(sandbox.voice.sessions()[0]?.media).toMatchObject({ discoveries: 1, keepalives: 1 });
  });

  test('what is not a client’s own is dropped and counted', async () => {
    await using sandbox = await begin();
    const { a, b } = await pair(sandbox);
    const stranger = VoiceClient.to(b.ticket);
    open.push(stranger);
    const sealed = (a.cipher as NonNullable<typeof a.cipher>).seal(
      new Uint8Array([0x80, 120, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 9]),
    );
    a.datagram(new Uint8Array(1_501));
    a.datagram(bytes('neither this nor that'));
    a.datagram(Buffer.from([0x80, 120, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, ...new Uint8Array(30)]));
    a.datagram(sealed);
    a.datagram(new Uint8Array(8));
    a.rtp({ ssrc: b.ssrc, payload: bytes('in another’s name') });
    await a.echoed();
    expect(sandbox.voice.sessions()[0]?.media.dropped).toEqual({ oversized: 1, unknown: 1, forged: 1, spoofedSsrc: 2 });

    // From an address that nobody has, and with an SSRC that nobody has.
    const { createSocket } = await import('node:dgram');
    const socket = createSocket('udp4');
    const { address, port } = sandbox.voice.media;
    const discovery = Buffer.alloc(74);
    discovery.writeUInt16BE(1, 0);
    discovery.writeUInt16BE(70, 2);
    discovery.writeUInt32BE(1, 4);
    for (const packet of [discovery, Buffer.from('1337cafe00000001', 'hex'), sealed, bytes('x')]) {
      socket.send(packet, port, address);
    }
    await expect.poll(() => sandbox.voice.packets.dropped).toMatchObject({ unknownSender: 3, unknown: 2 });
    socket.close();
    expect(b.packets).toEqual([]);
    expect(sandbox.voice.counters.internalErrors).toBe(0);
  });

  test('before the description nothing is taken; a new address is believed once its key shows', async () => {
    await using sandbox = await begin();
    const { a, b } = await pair(sandbox);
    const { createSocket } = await import('node:dgram');
    b.rtp({ payload: bytes('from here') });
    await a.received(1);
    const former = b.udp;
    const moved = createSocket('udp4');
    const { cipher, ssrc } = b;
    const { buildRtp } = await import('@guildkit/rtp');
    const plain = buildRtp({ payloadType: 120, ssrc, sequenceNumber: 9, timestamp: 0, payload: bytes('from there') });
    // Discovery from there alone moves nothing: whoever knows an SSRC could.
    const discovery = Buffer.alloc(74);
    discovery.writeUInt16BE(1, 0);
    discovery.writeUInt16BE(70, 2);
    discovery.writeUInt32BE(ssrc, 4);
    const { address, port } = sandbox.voice.media;
    const got: Buffer[] = [];
    moved.on('message', (data) => got.push(data));
    moved.send(discovery, port, address);
    await expect.poll(() => got.length).toBe(1);
    a.rtp({ payload: bytes('still to the old one') });
    await b.received(1);
    moved.send((cipher as NonNullable<typeof cipher>).seal(plain), port, address);
    await a.received(2);
    a.rtp({ payload: bytes('to the new one') });
    await expect.poll(() => got.length).toBe(2);
    expect(texts(b)).toEqual(['still to the old one']);
    expect(sandbox.voice.sessions()[1]?.media.rebinds).toBe(1);
    moved.close();
    expect(former).toBe(b.udp);

    const bot = await sandbox.bots.create({ name: 'early' });
    const { ticket } = await seat(sandbox, bot.token);
    const early = VoiceClient.to(ticket);
    open.push(early);
    early.identify();
    await early.openUdp();
    await early.discover(early.ssrc);
    early.datagram((a.cipher as NonNullable<typeof cipher>).seal(plain));
    await early.echoed();
    expect(sandbox.voice.sessions()[2]?.media.dropped).toEqual({ notReady: 1 });
  });
});

describe('faults', () => {
  const run = async (faults: MediaFaultOptions, seed = 1, count = 200): Promise<string[]> => {
    const clock = createVirtualClock();
    await using sandbox = await begin({ clock, seed });
    const { a, b } = await pair(sandbox);
    sandbox.faults.media({ userId: b.ticket.userId, direction: 'down', ...faults });
    for (let n = 0; n < count; n += 1) {
      a.rtp({ payload: bytes(String(n)) });
      // One by one: how the system hands datagrams on is no part of the course.
      if (n % 20 === 19) await a.echoed();
      clock.advanceSync(20);
    }
    await a.echoed();
    sandbox.faults.media({ userId: b.ticket.userId, direction: 'down' });
    await clock.advance(5_000);
    await b.echoed();
    const { dropped } = sandbox.voice.sessions()[1]?.media ?? { dropped: {} };
    const lost = Object.values<number>(dropped).reduce((sum, value) => sum + value, 0);
    return [...texts(b), `lost ${lost}`];
  };

  test('the same seed loses the same packets, another one others', async () => {
    const [first, again, other] = await Promise.all([
      run({ loss: 0.2 }),
      run({ loss: 0.2 }),
      run({ loss: 0.2, seed: 5 }),
    ]);
    expect(first).toEqual(again);
    expect(first).not.toEqual(other);
    const lost = 201 - first.length;
    expect(lost).toBeGreaterThan(20);
    expect(lost).toBeLessThan(60);
    expect(first.at(-1)).toBe(`lost ${lost}`);
  });

  test('duplicates, reordering and a blackout', async () => {
    const twice = await run({ duplicate: 1 }, 1, 10);
    expect(twice.slice(0, 4)).toEqual(['0', '0', '1', '1']);
    expect(await run({ blackout: true }, 1, 10)).toEqual(['lost 10']);
    const moved = (await run({ reorder: 0.3, reorderMs: 50 })).slice(0, -1).map(Number);
    expect(moved).toHaveLength(200);
    expect(moved).not.toEqual([...moved].sort((x, y) => x - y));
    expect([...moved].sort((x, y) => x - y)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  test('both directions, for some time, and by clear()', async () => {
    const clock = createVirtualClock();
    await using sandbox = await begin({ clock });
    const { a, b } = await pair(sandbox);
    sandbox.faults.media({ blackout: true, forMs: 1_000 });
    a.rtp({ payload: bytes('lost') });
    await expect.poll(() => sandbox.voice.packets.dropped).toEqual({ blackout: 1 });
    await clock.advance(1_000);
    a.rtp({ payload: bytes('comes') });
    await b.received(1);
    sandbox.faults.media({ delayMs: 500, direction: 'up', userId: a.ticket.userId });
    a.rtp({ payload: bytes('late') });
    b.rtp({ payload: bytes('at once') });
    await a.received(1);
    await expect.poll(() => clock.pending).toBeGreaterThan(0);
    expect(b.packets).toHaveLength(1);
    await clock.advance(500);
    await b.received(2);
    sandbox.faults.clear();
    a.rtp({ payload: bytes('clear') });
    await b.received(3);
    expect(texts(b)).toEqual(['comes', 'late', 'clear']);
  });

  test('joins survive a blackout of discovery: the client asks again', async () => {
    await using sandbox = await begin();
    sandbox.faults.media({ blackout: true });
    const { ticket } = await seat(sandbox);
    const client = VoiceClient.to(ticket);
    open.push(client);
    client.identify();
    await client.op(2);
    await client.openUdp();
    const lost = client.discover(client.ssrc);
    await expect.poll(() => sandbox.voice.packets.dropped.blackout).toBe(1);
    sandbox.faults.media();
    await client.discover(client.ssrc);
    await lost;
  });

  test.each([
    { loss: 1.1 },
    { loss: -1 },
    { delayMs: Number.NaN },
    { burst: 0 },
    { bandwidthBps: 0 },
    { direction: 'left' as never },
    { speed: 1 } as never,
    { blackout: 1 as never },
    { forMs: -1 },
  ])('refuses %o', async (options) => {
    await using sandbox = await begin();
    expect(() => sandbox.faults.media(options)).toThrow(RangeError);
  });
});
