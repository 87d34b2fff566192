/** Calls that do not wait for each other, against the sandbox: whatever was asked last is what comes, and nothing is left. */
import { DiscordRtcClient, RtcError } from '@guildkit/rtc';
import { createSandbox } from '@guildkit/sandbox';
import { expect, onTestFinished, test } from 'vitest';
import { createFastClock } from '../support/fast-clock.js';
import { dice } from '../support/fuzz-voice.js';
import { connectSignalling } from '../support/sandbox-signalling.js';
import { eventually } from '../support/setup.js';

const rounds = Number(process.env.GUILDKIT_SOAK_STORMS ?? 5);
const seed = Number(process.env.GUILDKIT_SOAK_SEED ?? 3);

test(`${rounds} rounds of joining, leaving and changing one's mind`, async () => {
  const sandbox = await createSandbox({ seed, rateLimits: false });
  onTestFinished(() => sandbox.close());
  const signalling = await connectSignalling(sandbox);
  onTestFinished(() => signalling.close());
  const channels = [sandbox.voiceChannelId, (await sandbox.channels.create({ name: 'other', kind: 'voice' })).id];
  const clock = createFastClock(1);
  const rtc = new DiscordRtcClient({
    signalling,
    guildId: sandbox.guildId,
    clock,
    backoff: { baseMs: 10, capMs: 50 },
  });
  const random = dice(seed);
  const problems: unknown[] = [];
  rtc.on('error', (error) => problems.push(error));
  for (let round = 0; round < rounds; round += 1) {
    const calls: Promise<unknown>[] = [];
    for (let call = 0; call < 12; call += 1) {
      const channelId = channels[Math.floor(random() * channels.length)] ?? sandbox.voiceChannelId;
      const what = random();
      if (what < 0.3) calls.push(rtc.disconnect());
      else if (what < 0.5) {
        const abort = new AbortController();
        calls.push(rtc.connect(channelId, { signal: abort.signal }).catch((error) => error));
        calls.push(Promise.resolve().then(() => abort.abort()));
      } else calls.push(rtc.connect(channelId).catch((error) => error));
      // Some are made at once, some when the one before is on its way.
      const { state } = rtc;
      if (random() < 0.5) await eventually(() => expect(rtc.state).not.toBe(state), { timeout: 30 }).catch(() => {});
    }
    for (const outcome of await Promise.all(calls)) {
      if (outcome !== undefined) {
        expect(RtcError.is(outcome) && outcome.code).toMatch(/^ERR_RTC_(CLIENT_BUSY|CONNECT_ABORTED)$/);
      }
    }
    const [, wanted = ''] = channels;
    await rtc.connect(wanted);
    expect([rtc.state, rtc.channelId]).toEqual(['ready', wanted]);
    await eventually(() => {
      expect(sandbox.voice.sessions().map(({ channelId, connected }) => [channelId, connected])).toEqual([
        [wanted, true],
      ]);
    });
  }
  await rtc[Symbol.asyncDispose]();
  expect(clock.pending).toBe(0);
  expect(problems).toEqual([]);
  await eventually(() => expect(sandbox.voice.sessions()).toEqual([]));
}, 600_000);
