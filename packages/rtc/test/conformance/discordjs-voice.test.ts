/**
 * Unmodified @discordjs/voice in one channel of the sandbox with DiscordRtcClient, over TLS and encrypted end to end: both hear
 * every packet of the other. What @discordjs/voice never sends, padding, CSRCs and more extensions, comes from a third client.
 */
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
import { DiscordRtcClient } from '@guildkit/rtc';
import { buildHeaderExtension } from '@guildkit/rtp';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { trustAuthority } from '@guildkit/testkit';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { MediaTransport } from '../../src/media/transport.js';
import { connectSignalling } from '../support/sandbox-signalling.js';
import { eventually } from '../support/setup.js';

let sandbox: Sandbox;
let distrust: () => void;

beforeAll(async () => {
  sandbox = await createSandbox({ tls: true, seed: 17 });
  distrust = trustAuthority(sandbox.certificate);
});
afterAll(async () => {
  distrust();
  await sandbox.close();
});

/** Opus packets that can be told apart; to decrypt them is enough, nobody listens. */
const packet = (from: string, n: number): Buffer => Buffer.from([0xfc, ...Buffer.from(`${from}:${n}`), 0, 0, 0, 0]);
const textOf = (opus: Uint8Array): string => Buffer.from(opus.subarray(1)).toString('latin1').replace(/\0+$/, '');
const numbered = (from: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${from}:${n}`);

async function joinOurs(name: string) {
  const bot = await sandbox.bots.create({ name });
  const signalling = await connectSignalling(sandbox, bot.token);
  // Without `ca`: on loopback plain text is tried first, then TLS.
  const rtc = new DiscordRtcClient({ signalling, guildId: sandbox.guildId });
  onTestFinished(async () => {
    await rtc[Symbol.asyncDispose]();
    signalling.close();
  });
  await rtc.connect(sandbox.voiceChannelId);
  return { rtc, userId: signalling.userId };
}

async function joinTheirs(name: string): Promise<{ connection: VoiceConnection; userId: string }> {
  const bot = await sandbox.bots.create({ name });
  const signalling = await connectSignalling(sandbox, bot.token);
  const connection = joinVoiceChannel({
    channelId: sandbox.voiceChannelId,
    guildId: sandbox.guildId,
    group: name,
    selfDeaf: false,
    selfMute: false,
    adapterCreator(methods) {
      signalling.onVoiceState(({ guildId, userId, channelId, sessionId }) => {
        if (userId !== signalling.userId) return;
        const state = { guild_id: guildId, user_id: userId, channel_id: channelId, session_id: sessionId };
        methods.onVoiceStateUpdate(state as Parameters<typeof methods.onVoiceStateUpdate>[0]);
      });
      signalling.onVoiceServer(({ guildId, token, endpoint }) =>
        methods.onVoiceServerUpdate({ guild_id: guildId, token, endpoint }),
      );
      return {
        sendPayload({
          d,
        }: {
          d: { guild_id: string; channel_id: string | null; self_mute: boolean; self_deaf: boolean };
        }) {
          const { guild_id: guildId, channel_id: channelId, self_mute: selfMute, self_deaf: selfDeaf } = d;
          void signalling.sendVoiceState({ guildId, channelId, selfMute, selfDeaf });
          return true;
        },
        destroy() {},
      };
    },
  });
  connection.on('error', () => {});
  onTestFinished(() => {
    connection.destroy();
    signalling.close();
  });
  await entersState(connection, VoiceConnectionStatus.Ready, 10_000);
  return { connection, userId: signalling.userId };
}

function play(connection: VoiceConnection, from: string, count: number): void {
  const stream = new PassThrough({ objectMode: true });
  const player = createAudioPlayer({ behaviors: { noSubscriber: NoSubscriberBehavior.Play } });
  connection.subscribe(player);
  for (let n = 0; n < count; n += 1) stream.write(packet(from, n));
  stream.end();
  player.play(createAudioResource(stream, { inputType: StreamType.Opus }));
}

function heardByTheirs(connection: VoiceConnection, userId: string): string[] {
  const heard: string[] = [];
  const stream = connection.receiver.subscribe(userId, { end: { behavior: EndBehaviorType.Manual } });
  stream.on('data', (data: Buffer) => heard.push(textOf(data)));
  return heard;
}

function heardByOurs(rtc: DiscordRtcClient, userId: string): string[] {
  const heard: string[] = [];
  rtc.onAudio(
    ({ opus }) => {
      if (opus !== undefined) heard.push(textOf(opus));
    },
    { userId },
  );
  return heard;
}

test('they hear each other, and ours hears padding, CSRCs and extensions', async () => {
  const ours = await joinOurs('ours');
  const theirs = await joinTheirs('theirs');
  const third = await joinOurs('third');
  await eventually(
    () => {
      const view = sandbox.voice.channel(sandbox.voiceChannelId)?.dave?.view;
      expect(view).toMatchObject({ established: true, transitions: [], pending: [] });
      expect(view?.leaves).toHaveLength(3);
      expect(ours.rtc.encryption.activity).toBe('active');
      expect(third.rtc.encryption).toEqual(ours.rtc.encryption);
    },
    { timeout: 10_000 },
  );
  const byOurs = heardByOurs(ours.rtc, theirs.userId);
  const byTheirs = heardByTheirs(theirs.connection, ours.userId);
  play(theirs.connection, 'theirs', 40);
  const sent = ours.rtc.sendAudio(Array.from({ length: 40 }, (_, n) => packet('ours', n)));
  await sent.finished;
  await eventually(
    () => {
      expect(byOurs.filter((text) => text.startsWith('theirs:'))).toEqual(numbered('theirs', 40));
      expect(byTheirs.filter((text) => text.startsWith('ours:'))).toEqual(numbered('ours', 40));
    },
    { timeout: 10_000 },
  );

  // As Discord's own clients and servers send it: CSRCs, two extension elements, and padding inside the ciphertext. Theirs is not
  // subscribed to it: a CSRC makes @discordjs/voice throw where nobody can catch it.
  const { link } = (third.rtc as unknown as { connection: { link: MediaTransport } }).connection;
  const ssrc = link.session?.audioSsrc ?? 0;
  const extension = buildHeaderExtension([
    { id: 1, data: Uint8Array.of(0x85) },
    { id: 9, data: Uint8Array.of(1, 2, 3, 4) },
  ]);
  const paddedByOurs = heardByOurs(ours.rtc, third.userId);
  link.setSpeaking(1);
  for (let n = 0; n < 25; n += 1) {
    const payload = link.encryptFrame('opus', packet('padded', n));
    if (payload === undefined) throw new Error('not encrypted');
    const padded = n % 2 === 0;
    link.sendRtp({
      payloadType: 120,
      ssrc,
      sequenceNumber: n,
      timestamp: n * 960,
      payload,
      extension,
      csrcs: padded ? [7, 8] : [],
      paddingLength: padded ? 1 + n * 3 : 0,
    });
  }
  await eventually(() => expect(paddedByOurs).toEqual(numbered('padded', 25)), { timeout: 10_000 });
  expect(ours.rtc.stats()).toMatchObject({
    path: { packetsForged: 0, packetsMalformed: 0 },
    dave: { decryptFailed: 0 },
  });
  expect(sandbox.voice.counters.internalErrors).toBe(0);
});
