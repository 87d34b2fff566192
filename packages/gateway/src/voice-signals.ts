/** Owns what a voice connection is given of the gateway: voice states out, voice states and voice servers in. */
import type {
  Unsubscribe,
  VoiceServerSignal,
  VoiceSignalling,
  VoiceStateRequest,
  VoiceStateSignal,
} from '@guildkit/core';
import type { DispatchSink } from './dispatch-router.js';
import { ListenerTable } from './listeners.js';
import { fields, text } from './protocol/fields.js';

/** The gateway's side of a voice connection. */
export class VoiceSignals implements VoiceSignalling, DispatchSink {
  userId: string | undefined;
  private readonly states: ListenerTable<VoiceStateSignal>;
  private readonly servers: ListenerTable<VoiceServerSignal>;

  constructor(
    private readonly send: (request: VoiceStateRequest) => Promise<void>,
    onListenerError: (error: unknown, name: string) => void,
    onChange: () => void,
  ) {
    this.states = new ListenerTable(onListenerError, onChange);
    this.servers = new ListenerTable(onListenerError, onChange);
  }

  sendVoiceState(request: VoiceStateRequest): Promise<void> {
    return this.send(request);
  }

  onVoiceState(listener: (state: VoiceStateSignal) => void): Unsubscribe {
    return this.states.add('VOICE_STATE_UPDATE', listener);
  }

  onVoiceServer(listener: (server: VoiceServerSignal) => void): Unsubscribe {
    return this.servers.add('VOICE_SERVER_UPDATE', listener);
  }

  wants(dispatch: string): boolean {
    return this.states.has(dispatch) || this.servers.has(dispatch);
  }

  push(dispatch: string, data: unknown): void {
    const body = fields(data);
    const guildId = text(body, 'guild_id');
    if (guildId === undefined) return;
    const channelId = text(body, 'channel_id') ?? null;
    const [userId, sessionId] = [text(body, 'user_id'), text(body, 'session_id')];
    if (userId !== undefined && sessionId !== undefined) {
      this.states.call(dispatch, { guildId, userId, channelId, sessionId });
    }
    const token = text(body, 'token');
    if (token !== undefined) this.servers.call(dispatch, { guildId, token, endpoint: text(body, 'endpoint') ?? null });
  }
}
