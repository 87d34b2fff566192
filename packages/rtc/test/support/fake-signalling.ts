/** The main gateway's side of voice, in memory: answers joins as a test wants. */
import type { VoiceServerSignal, VoiceSignalling, VoiceStateRequest, VoiceStateSignal } from '@guildkit/core';

export const GUILD_ID = '41771983423143937';
export const CHANNEL_ID = '127121515262115840';
export const OTHER_CHANNEL_ID = '127121515262115841';

export interface FakeSignalling extends VoiceSignalling {
  userId: string | undefined;
  readonly requests: VoiceStateRequest[];
  /** Joins are answered by these endpoints in turn, the last one again and again; none: not at all. */
  endpoints: string[];
  order: 'state first' | 'server first';
  /** Thrown by the next sends. */
  failures: unknown[];
  /** Answers to requests are held back. */
  silent: boolean;
  readonly listeners: number;
  state(channelId: string | null, sessionId?: string): void;
  server(endpoint: string | null, token?: string): void;
}

export function createFakeSignalling(userId = '104694319306248192'): FakeSignalling {
  const stateListeners = new Set<(state: VoiceStateSignal) => void>();
  const serverListeners = new Set<(server: VoiceServerSignal) => void>();
  let sessions = 0;
  let tokens = 0;
  const fake: FakeSignalling = {
    userId,
    requests: [],
    endpoints: [],
    order: 'state first',
    failures: [],
    silent: false,
    get listeners() {
      return stateListeners.size + serverListeners.size;
    },
    state(channelId, sessionId = `session-${userId}-${sessions}`) {
      const state = { guildId: GUILD_ID, userId: fake.userId ?? '', channelId, sessionId };
      for (const listener of [...stateListeners]) listener(state);
    },
    server(endpoint, token) {
      tokens += 1;
      for (const listener of [...serverListeners])
        listener({ guildId: GUILD_ID, token: token ?? `voice-token-${tokens}`, endpoint });
    },
    async sendVoiceState(request) {
      fake.requests.push(request);
      if (fake.failures.length > 0) throw fake.failures.shift();
      if (fake.silent) return;
      await Promise.resolve();
      if (request.channelId === null) {
        fake.state(null);
        return;
      }
      sessions += 1;
      const endpoint = fake.endpoints.length > 1 ? fake.endpoints.shift() : fake.endpoints[0];
      const answers = [
        () => fake.state(request.channelId),
        () => {
          if (endpoint !== undefined) fake.server(endpoint);
        },
      ];
      if (fake.order === 'server first') answers.reverse();
      for (const answer of answers) answer();
    },
    onVoiceState(listener) {
      stateListeners.add(listener);
      return () => stateListeners.delete(listener);
    },
    onVoiceServer(listener) {
      serverListeners.add(listener);
      return () => serverListeners.delete(listener);
    },
  };
  return fake;
}
