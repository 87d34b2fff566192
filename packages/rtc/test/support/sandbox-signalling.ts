/** The main gateway's side of voice over a real socket to the sandbox: what @guildkit/gateway gives, in a few lines. */
import type { VoiceServerSignal, VoiceSignalling, VoiceStateSignal } from '@guildkit/core';
import type { Sandbox } from '@guildkit/sandbox';
import { WebSocket } from 'ws';

export interface SandboxSignalling extends VoiceSignalling {
  readonly userId: string;
  close(): void;
}

interface Frame {
  readonly op: number;
  readonly t: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever Discord's payload holds
  readonly d: any;
}

const GUILDS = 1;
const GUILD_VOICE_STATES = 128;

/** Identifies as a bot; resolves when READY has come. */
export function connectSignalling(sandbox: Sandbox, token = sandbox.connection.token): Promise<SandboxSignalling> {
  const socket = new WebSocket(`${sandbox.gatewayUrl}?v=10&encoding=json`, { ca: sandbox.certificate });
  const states = new Set<(state: VoiceStateSignal) => void>();
  const servers = new Set<(server: VoiceServerSignal) => void>();
  const send = (op: number, d: unknown): void => socket.send(JSON.stringify({ op, d }));
  let beat: NodeJS.Timeout | undefined;
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => clearInterval(beat));
    socket.on('message', (data: Buffer) => {
      const { op, t, d } = JSON.parse(data.toString()) as Frame;
      if (op === 10) {
        beat = setInterval(() => send(1, null), d.heartbeat_interval);
        send(2, { token, intents: GUILDS | GUILD_VOICE_STATES, properties: {} });
      }
      if (t === 'READY') {
        resolve({
          userId: d.user.id,
          async sendVoiceState({ guildId, channelId, selfMute, selfDeaf }) {
            send(4, { guild_id: guildId, channel_id: channelId, self_mute: selfMute, self_deaf: selfDeaf });
          },
          onVoiceState(listener) {
            states.add(listener);
            return () => states.delete(listener);
          },
          onVoiceServer(listener) {
            servers.add(listener);
            return () => servers.delete(listener);
          },
          close() {
            clearInterval(beat);
            socket.terminate();
          },
        });
      }
      if (t === 'VOICE_STATE_UPDATE') {
        const state = { guildId: d.guild_id, userId: d.user_id, channelId: d.channel_id, sessionId: d.session_id };
        for (const listener of [...states]) listener(state);
      }
      if (t === 'VOICE_SERVER_UPDATE') {
        const server = { guildId: d.guild_id, token: d.token, endpoint: d.endpoint };
        for (const listener of [...servers]) listener(server);
      }
    });
  });
}
