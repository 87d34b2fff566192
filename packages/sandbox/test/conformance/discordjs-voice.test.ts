/** Unmodified @discordjs/voice: joins over TLS with DAVE, sends to and receives from another one. */
import { PassThrough } from 'node:stream';
import {
  createAudioPlayer,
  createAudioResource,
  EndBehaviorType,
  entersState,
  joinVoiceChannel,
  NoSubscriberBehavior,
  StreamType,
  type VoiceConnection,
  VoiceConnectionStatus,
} from '@discordjs/voice';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { trustAuthority } from '@guildkit/testkit';
import { Client, Events, GatewayIntentBits } from 'discord.js';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { RawClient } from '../support/gateway-client.js';

let sandbox: Sandbox;
let distrust: () => void;

beforeAll(async () => {
  sandbox = await createSandbox({ tls: true, seed: 31 });
  distrust = trustAuthority(sandbox.certificate);
});
afterAll(async () => {
  distrust();
  await sandbox.close();
});

interface Seat {
  readonly gateway: RawClient;
  readonly connection: VoiceConnection;
  readonly userId: string;
}

/** Joins as discord.js would: opcode 4 out, the two dispatches in. */
async function join(token: string, group: string): Promise<Seat> {
  const gateway = new RawClient(`${sandbox.gatewayUrl}?v=10&encoding=json`, new WebSocket(sandbox.gatewayUrl));
  gateway.send({ op: 2, d: { token, intents: 129, properties: {} } });
  const ready = await gateway.dispatch('READY');
  const userId: string = ready.d.user.id;
  const connection = joinVoiceChannel({
    channelId: sandbox.voiceChannelId,
    guildId: sandbox.guildId,
    group,
    selfDeaf: false,
    selfMute: false,
    adapterCreator: (methods) => {
      gateway.follow((frame) => {
        if (frame.t === 'VOICE_SERVER_UPDATE') methods.onVoiceServerUpdate(frame.d);
        if (frame.t === 'VOICE_STATE_UPDATE' && frame.d.user_id === userId) methods.onVoiceStateUpdate(frame.d);
      });
      return {
        sendPayload(payload) {
          gateway.send(payload);
          return true;
        },
        destroy() {},
      };
    },
  });
  connection.on('error', () => {});
  return { gateway, connection, userId };
}

/** Opus packets that can be told apart; to decrypt them is enough, nobody listens. */
const packet = (from: string, n: number): Buffer => Buffer.from([0xfc, ...Buffer.from(`${from}:${n}`), 0, 0, 0, 0]);

function play(connection: VoiceConnection, from: string): PassThrough {
  const stream = new PassThrough({ objectMode: true });
  const player = createAudioPlayer({ behaviors: { noSubscriber: NoSubscriberBehavior.Play } });
  connection.subscribe(player);
  for (let n = 0; n < 40; n += 1) stream.write(packet(from, n));
  player.play(createAudioResource(stream, { inputType: StreamType.Opus }));
  return stream;
}

function listen({ connection }: Pick<Seat, 'connection'>, userId: string): string[] {
  const heard: string[] = [];
  const stream = connection.receiver.subscribe(userId, { end: { behavior: EndBehaviorType.Manual } });
  stream.on('data', (data: Buffer) => heard.push(data.subarray(1).toString().replace(/\0+$/, '')));
  return heard;
}

test('two of them talk to each other, encrypted end to end', { timeout: 30_000 }, async () => {
  const second = await sandbox.bots.create({ name: 'second' });
  const a = await join(sandbox.connection.token, 'a');
  const b = await join(second.token, 'b');
  try {
    await Promise.all([a, b].map(({ connection }) => entersState(connection, VoiceConnectionStatus.Ready, 10_000)));
    // The group is made when both are in it.
    await vi.waitFor(
      () =>
        expect(sandbox.voice.channel(sandbox.voiceChannelId)?.dave?.view).toMatchObject({
          established: true,
          transitions: [],
          pending: [],
        }),
      {
        timeout: 10_000,
      },
    );
    const heardByA = listen(a, b.userId);
    const heardByB = listen(b, a.userId);
    play(a.connection, 'a');
    play(b.connection, 'b');
    await vi.waitFor(
      () => {
        expect(heardByA.filter((text) => text.startsWith('b:')).length).toBeGreaterThan(20);
        expect(heardByB.filter((text) => text.startsWith('a:')).length).toBeGreaterThan(20);
      },
      { timeout: 10_000 },
    );
    for (const { mode, daveVersion, media } of sandbox.voice.sessions()) {
      expect(mode).toBe('aead_aes256_gcm_rtpsize');
      expect(daveVersion).toBe(1);
      expect(media.dropped).toEqual({});
    }
    expect(sandbox.voice.counters.internalErrors).toBe(0);

    // A simulated person joins the group, and is heard.
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    const said = Array.from({ length: 40 }, (_, n) => packet('anna', n));
    const heardOfAnna = listen(a, anna.id);
    const playback = await anna.speak(said);
    await playback.finished;
    await vi.waitFor(() => expect(heardOfAnna.filter((text) => text.startsWith('anna:')).length).toBeGreaterThan(35));
    expect(sandbox.voice.channel(sandbox.voiceChannelId)?.dave?.view.leaves).toContain(anna.id);
    await anna.leaveVoice();

    // Cut without a word: it resumes by itself, and goes on hearing.
    sandbox.faults.voice.cut({ userId: b.userId });
    await vi.waitFor(() => expect(sandbox.voice.counters.resumes).toBe(1), { timeout: 10_000 });
    await entersState(b.connection, VoiceConnectionStatus.Ready, 10_000);
    expect(sandbox.voice.counters.resumesRefused).toBe(0);

    // Moved by a moderator: 4014, another server, and there it is again.
    const other = await sandbox.channels.create({ name: 'other', kind: 'voice' });
    await sandbox.people.owner.move(b.userId, other.id);
    await vi.waitFor(() => expect(sandbox.voice.channel(other.id)?.userIds).toEqual([b.userId]), { timeout: 10_000 });
    await entersState(b.connection, VoiceConnectionStatus.Ready, 10_000);
  } finally {
    for (const { connection, gateway } of [a, b]) {
      connection.destroy();
      gateway.close();
    }
  }
});

test('a bot of discord.js hears a person, is cut, moved and thrown out', { timeout: 30_000 }, async () => {
  const bot = await sandbox.bots.create({ name: 'whole' });
  const table = await sandbox.channels.create({ name: 'table', kind: 'voice' });
  const away = await sandbox.channels.create({ name: 'away', kind: 'voice' });
  const client = new Client({
    intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildVoiceStates],
    rest: { api: sandbox.connection.apiBase.replace('/v10', '') },
  });
  const ready = new Promise((resolve) => client.once(Events.ClientReady, resolve));
  await client.login(bot.token);
  await ready;
  const guild = client.guilds.cache.get(sandbox.guildId);
  if (guild === undefined) throw new Error('no guild');
  const connection = joinVoiceChannel({
    channelId: table.id,
    guildId: guild.id,
    group: 'whole',
    selfDeaf: false,
    adapterCreator: guild.voiceAdapterCreator,
  });
  try {
    await entersState(connection, VoiceConnectionStatus.Ready, 10_000);
    const ben = await sandbox.people.create({ name: 'ben' });
    await ben.joinVoice(table.id);
    const heard = listen({ connection }, ben.id);
    const speak = async (word: string): Promise<void> => {
      const had = heard.length;
      await (await ben.speak(Array.from({ length: 20 }, (_, n) => packet(word, n)))).finished;
      // It drops what comes before opcode 5 does, which takes another way.
      await vi.waitFor(() =>
        expect(heard.slice(had).filter((text) => text.startsWith(`${word}:`)).length).toBeGreaterThan(15),
      );
    };
    await speak('first');
    sandbox.faults.voice.cut({ handshake: true, userId: bot.id });
    const session = () => sandbox.voice.sessions().find(({ userId }) => userId === bot.id);
    await vi.waitFor(() => expect(session()?.connected).toBe(true), { timeout: 10_000 });
    await speak('resumed');
    const former = session()?.audioSsrc;
    sandbox.faults.voice.moveServer({ userId: bot.id });
    await vi.waitFor(
      () => {
        expect(session()?.audioSsrc).not.toBe(former);
        expect(session()?.stage).toBe('live');
        expect(sandbox.voice.channel(table.id)?.dave?.view.leaves).toContain(bot.id);
      },
      { timeout: 10_000 },
    );
    await entersState(connection, VoiceConnectionStatus.Ready, 10_000);
    await speak('elsewhere');
    await sandbox.people.owner.move(bot.id, away.id);
    await vi.waitFor(() => expect(sandbox.voice.channel(away.id)?.userIds).toEqual([bot.id]), { timeout: 10_000 });
    await entersState(connection, VoiceConnectionStatus.Ready, 10_000);
    await sandbox.people.owner.disconnect(bot.id);
    await entersState(connection, VoiceConnectionStatus.Disconnected, 10_000);
    expect(sandbox.voice.channel(away.id)).toBeUndefined();
    expect(sandbox.voice.counters.internalErrors).toBe(0);
  } finally {
    connection.destroy();
    await client.destroy();
  }
});
