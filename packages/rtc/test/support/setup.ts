/** A client, a gateway's signalling in memory and a small voice server; cleaned up when the test ends. */
import { DiscordRtcClient, type DiscordRtcClientOptions } from '@guildkit/rtc';
import { expect, onTestFinished, vi } from 'vitest';
import { createFakeSignalling, GUILD_ID } from './fake-signalling.js';
import { createFakeVoiceServer, type FakeVoiceOptions } from './fake-voice-server.js';
import { createFastClock, type FastClock } from './fast-clock.js';

export async function setup(
  options: Partial<DiscordRtcClientOptions> & { clock?: FastClock } = {},
  fake: FakeVoiceOptions = {},
) {
  /** Counts timers: none may be left. */
  const clock = options.clock ?? createFastClock(1);
  const server = await createFakeVoiceServer(fake);
  const signalling = createFakeSignalling();
  signalling.endpoints = [server.endpoint];
  const rtc = new DiscordRtcClient({
    signalling,
    guildId: GUILD_ID,
    dave: false,
    backoff: { baseMs: 10, capMs: 20 },
    ...options,
    clock,
  });
  onTestFinished(async () => {
    await rtc[Symbol.asyncDispose]();
    expect(clock.pending).toBe(0);
    await server.close();
  });
  return { server, signalling, rtc };
}

/** The next event of that name that fits. */
export function nextEvent<T = unknown>(
  rtc: DiscordRtcClient,
  name: 'stateChange' | 'moved' | 'disconnected' | 'error' | 'speaking' | 'userJoined' | 'userLeft' | 'encryption',
  fits: (event: T) => boolean = () => true,
): Promise<T> {
  return new Promise((resolve) => {
    const listener = (event: unknown): void => {
      if (!fits(event as T)) return;
      rtc.removeListener(name, listener as never);
      resolve(event as T);
    };
    rtc.on(name, listener as never);
  });
}

/** Waits for what has no event; long enough for a machine that is busy with other things. */
export function eventually<T>(
  check: () => T | Promise<T>,
  options: { timeout?: number; interval?: number } = {},
): Promise<T> {
  return vi.waitFor(check, { timeout: 10_000, interval: 10, ...options });
}
