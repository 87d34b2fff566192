/** The client over real sockets against a small voice server. */
import { DiscordRtcClient, type DiscordRtcClientOptions } from '@guildkit/rtc';
import { afterEach, expect, test, vi } from 'vitest';
import { CHANNEL_ID, createFakeSignalling, GUILD_ID } from '../support/fake-signalling.js';
import { createFakeVoiceServer, type FakeVoiceOptions } from '../support/fake-voice-server.js';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export async function setup(options: Partial<DiscordRtcClientOptions> = {}, fake: FakeVoiceOptions = {}) {
  const server = await createFakeVoiceServer(fake);
  cleanups.push(() => server.close());
  const signalling = createFakeSignalling();
  signalling.endpoints = [server.endpoint];
  const rtc = new DiscordRtcClient({
    signalling,
    guildId: GUILD_ID,
    dave: false,
    backoff: { baseMs: 10, capMs: 20 },
    ...options,
  });
  cleanups.push(() => rtc[Symbol.asyncDispose]());
  return { server, signalling, rtc };
}

test('joins and leaves', async () => {
  const { server, signalling, rtc } = await setup();
  await rtc.connect(CHANNEL_ID);
  expect(rtc.state).toBe('ready');
  await vi.waitFor(() => expect(server.keepalives).toBe(1));
  await rtc.disconnect();
  expect(rtc.state).toBe('idle');
  expect(signalling.listeners).toBe(0);
  expect(server.identifies).toBe(1);
  await vi.waitFor(() => expect(server.keepalives).toBe(1));
});
