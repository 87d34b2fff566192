/** One story for gateway clients that others wrote: log in compressed, follow voice, lose the connection, resume. */
import { REST } from '@discordjs/rest';
import { CompressionMethod, WebSocketManager, WebSocketShardEvents } from '@discordjs/ws';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { type GatewayDispatchPayload, GatewayIntentBits } from 'discord-api-types/v10';
import { Client } from 'oceanic.js';
import { expect, test, vi } from 'vitest';

const INTENTS = GatewayIntentBits.Guilds | GatewayIntentBits.GuildVoiceStates;

/** Connects a client; what it sees goes to `see`. */
type Connect = (sandbox: Sandbox, see: (payload: GatewayDispatchPayload) => void) => Promise<() => Promise<void>>;

function discordJsWs(compression: CompressionMethod | null): Connect {
  return async ({ connection }, see) => {
    const rest = new REST({ api: connection.apiBase.replace('/v10', '') }).setToken(connection.token);
    const manager = new WebSocketManager({
      token: connection.token,
      intents: INTENTS,
      compression,
      rest,
    });
    manager.on(WebSocketShardEvents.Dispatch, (payload) => see(payload));
    manager.on(WebSocketShardEvents.Error, () => {});
    await manager.connect();
    return async () => {
      await manager.destroy();
    };
  };
}

function oceanic(compress: 'zlib-stream' | 'zstd-stream' | false): Connect {
  return async ({ connection }, see) => {
    const client = new Client({
      auth: `Bot ${connection.token}`,
      rest: { baseURL: connection.apiBase },
      gateway: { intents: INTENTS, compress, ...(compress === false ? {} : { compressLibrary: 'native' }) },
    });
    client.on('error', () => {});
    client.on('packet', (payload) => {
      if (payload.op === 0) see(payload as unknown as GatewayDispatchPayload);
    });
    const ready = new Promise<void>((resolve) => client.once('ready', () => resolve()));
    await client.connect();
    await ready;
    return async () => client.disconnect(false);
  };
}

const CLIENTS: readonly (readonly [name: string, connect: Connect])[] = [
  ['@discordjs/ws', discordJsWs(null)],
  ['@discordjs/ws with zlib-stream', discordJsWs(CompressionMethod.ZlibNative)],
  ['oceanic.js', oceanic(false)],
  ['oceanic.js with zlib-stream', oceanic('zlib-stream')],
  ['oceanic.js with zstd-stream', oceanic('zstd-stream')],
];

test.each(CLIENTS)('%s', { timeout: 30_000 }, async (_name, connect) => {
  await using sandbox = await createSandbox({ seed: 21 });
  const names: string[] = [];
  const moves: [string, string | null][] = [];
  const seqs: number[] = [];
  const disconnect = await connect(sandbox, (payload) => {
    names.push(payload.t);
    seqs.push(payload.s);
    if (payload.t === 'VOICE_STATE_UPDATE') moves.push([payload.d.user_id, payload.d.channel_id]);
  });
  try {
    await vi.waitFor(() => expect(names).toContain('GUILD_CREATE'), { timeout: 5_000 });
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    await vi.waitFor(() => expect(moves).toEqual([[anna.id, sandbox.voiceChannelId]]));

    // Without a handshake, and something happens while the client is away.
    sandbox.faults.cut();
    await anna.leaveVoice();
    await vi.waitFor(() => expect(sandbox.traffic.counters.resumes).toBe(1), { timeout: 15_000 });
    await vi.waitFor(() => expect(moves.at(-1)).toEqual([anna.id, null]));
    // With opcode 7.
    sandbox.faults.reconnect();
    await vi.waitFor(() => expect(sandbox.traffic.counters.resumes).toBe(2), { timeout: 15_000 });
    await anna.joinVoice(sandbox.voiceChannelId);
    await vi.waitFor(() => expect(moves.at(-1)).toEqual([anna.id, sandbox.voiceChannelId]));

    expect(moves).toHaveLength(3);
    expect(sandbox.traffic.counters).toMatchObject({
      identifies: 1,
      resumesRefused: 0,
      badFrames: 0,
      internalErrors: 0,
    });
    // The client took every dispatch once, whatever it does with a RESUMED that is replayed.
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  } finally {
    await disconnect();
  }
});
