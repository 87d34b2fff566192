/**
 * Two clients in one channel of the sandbox, and faults by seed. After each storm both are back by themselves, in one encrypted
 * group, and hear each other. `npm run soak` has many storms.
 */
import { DiscordRtcClient } from '@guildkit/rtc';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { expect, onTestFinished, test, vi } from 'vitest';
import { dice } from '../support/fuzz-voice.js';
import { connectSignalling } from '../support/sandbox-signalling.js';
import { eventually } from '../support/setup.js';

const storms = Number(process.env.GUILDKIT_SOAK_STORMS ?? 6);
const seed = Number(process.env.GUILDKIT_SOAK_SEED ?? 7);

async function join(sandbox: Sandbox, token?: string) {
  const signalling = await connectSignalling(sandbox, token);
  const rtc = new DiscordRtcClient({ signalling, guildId: sandbox.guildId, backoff: { baseMs: 10, capMs: 100 } });
  onTestFinished(async () => {
    await rtc[Symbol.asyncDispose]();
    signalling.close();
  });
  await rtc.connect(sandbox.voiceChannelId);
  return { rtc, userId: signalling.userId };
}

test(`${storms} storms`, async () => {
  const sandbox = await createSandbox({ seed });
  onTestFinished(() => sandbox.close());
  const bot = await sandbox.bots.create({ name: 'second' });
  const sides = [await join(sandbox), await join(sandbox, bot.token)] as const;
  const [a, b] = sides;
  const ended = vi.fn();
  for (const { rtc } of sides) rtc.on('disconnected', ended);
  const heard: number[] = [];
  b.rtc.onAudio(({ opus }) => {
    if (opus?.length === 6) heard.push((opus[2] ?? 0) * 256 + (opus[3] ?? 0));
  });
  const { voice } = sandbox.faults;
  const random = dice(seed);
  const faults = [
    (userId: string) => voice.cut({ userId }),
    (userId: string) => voice.cut({ handshake: true, userId }),
    (userId: string) => voice.closeWith(4006, '', { userId }),
    (userId: string) => voice.closeWith(4009, '', { userId }),
    (userId: string) => voice.closeWith(1001, '', { userId }),
    (userId: string) => voice.moveServer({ userId }),
    (userId: string) => voice.moveServer({ outage: true, userId }),
    (userId: string) => voice.sendRaw('{', { userId }),
    () => voice.forgetSessions(),
  ];
  for (let storm = 1; storm <= storms; storm += 1) {
    const blows = 1 + Math.floor(random() * 4);
    for (let blow = 0; blow < blows; blow += 1) {
      const { rtc, userId } = sides[Math.floor(random() * 2)] ?? a;
      faults[Math.floor(random() * faults.length)]?.(userId);
      // Sometimes at once, sometimes when it is on its way back.
      if (random() < 0.5) await eventually(() => expect(rtc.state).not.toBe('ready'), { timeout: 20 }).catch(() => {});
    }
    // A blow may land only now: what is said meanwhile is said again.
    await eventually(
      async () => {
        expect([a.rtc.state, b.rtc.state]).toEqual(['ready', 'ready']);
        expect(a.rtc.encryption.activity).toBe('active');
        expect(b.rtc.encryption).toEqual(a.rtc.encryption);
        await a.rtc.sendAudio([Uint8Array.from([0xfc, 0, storm >> 8, storm & 255, 1, 2])]).finished;
        await eventually(() => expect(heard).toContain(storm), { timeout: 300 });
      },
      { timeout: 20_000, interval: 20 },
    );
  }
  expect(ended).not.toHaveBeenCalled();
}, 600_000);
