import { createSandbox } from '@guildkit/sandbox';
import { ChannelType, Client, Events, GatewayIntentBits } from 'discord.js';
import { expect, test, vi } from 'vitest';

const VOICE_INTENTS = [GatewayIntentBits.Guilds, GatewayIntentBits.GuildVoiceStates];

test('an unmodified discord.js logs in, follows voice and channels, and resumes after opcode 7', async () => {
  await using sandbox = await createSandbox({ seed: 11 });
  const client = new Client({
    intents: VOICE_INTENTS,
    rest: { api: sandbox.connection.apiBase.replace('/v10', '') },
  });
  const errors: unknown[] = [];
  client.on(Events.Error, (error) => errors.push(error));
  const moves: [string, string | null, string | null][] = [];
  client.on(Events.VoiceStateUpdate, (from, to) => moves.push([to.id, from.channelId, to.channelId]));
  const channels: string[] = [];
  client.on(Events.ChannelCreate, ({ name }) => channels.push(`+${name}`));
  client.on(Events.ChannelDelete, (channel) => channels.push(`-${'name' in channel ? channel.name : ''}`));

  const ready = new Promise((resolve) => client.once(Events.ClientReady, resolve));
  await client.login(sandbox.connection.token);
  await ready;
  try {
    const guild = client.guilds.cache.get(sandbox.guildId);
    expect(guild?.name).toBe('Sandbox');
    expect(guild?.channels.cache.get(sandbox.voiceChannelId)?.isVoiceBased()).toBe(true);
    expect(guild?.members.me?.permissions.has('Administrator')).toBe(true);

    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    await vi.waitFor(() => expect(moves).toEqual([[anna.id, null, sandbox.voiceChannelId]]));
    expect(guild?.voiceStates.cache.get(anna.id)?.member?.displayName).toBe('anna');

    const lounge = await guild?.channels.create({
      name: 'Lounge',
      type: ChannelType.GuildVoice,
      userLimit: 4,
      reason: 'a table',
    });
    expect(lounge?.userLimit).toBe(4);
    await anna.moveTo(lounge?.id ?? '');
    await vi.waitFor(() => expect(moves.at(-1)).toEqual([anna.id, sandbox.voiceChannelId, lounge?.id]));

    // Dispatched while discord.js is on its way back: delivered by the replay.
    const bela = await sandbox.people.create({ name: 'bela' });
    const joined = new Promise<void>((resolve, reject) => {
      client.once(Events.ShardReconnecting, () => bela.joinVoice(sandbox.voiceChannelId).then(resolve, reject));
    });
    sandbox.faults.reconnect();
    await joined;
    await vi.waitFor(() => expect(sandbox.traffic.counters.resumes).toBe(1), { timeout: 10_000 });
    await anna.leaveVoice();
    await vi.waitFor(() => expect(moves.at(-1)).toEqual([anna.id, lounge?.id, null]), { timeout: 10_000 });
    expect(moves.filter(([id]) => id === bela.id)).toEqual([[bela.id, null, sandbox.voiceChannelId]]);
    expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1, resumesRefused: 0, internalErrors: 0 });

    await lounge?.delete();
    await vi.waitFor(() => expect(channels).toEqual(['+Lounge', '-Lounge']));
    expect(errors).toEqual([]);
  } finally {
    await client.destroy();
  }
});
