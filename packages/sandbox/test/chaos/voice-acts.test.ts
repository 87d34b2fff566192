/** Bots and people do what comes to mind, in some order: who is in which channel is right after each act, and nothing is left at the end. */
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { expect, test, vi } from 'vitest';
import { createRandom, type Random } from '../../src/protocol/random.js';
import { RawClient } from '../support/gateway-client.js';
import { takeTicket, VoiceClient } from '../support/voice-client.js';

interface Bot {
  readonly id: string;
  readonly gateway: RawClient;
  voice: VoiceClient | undefined;
}

const ACTS = 60;

async function newBot(sandbox: Sandbox, n: number): Promise<Bot> {
  const { id, token } =
    n === 0 ? { id: '', token: sandbox.connection.token } : await sandbox.bots.create({ name: `bot ${n}` });
  const gateway = await RawClient.identified(sandbox, { token });
  return { id: id === '' ? (await gateway.dispatch('READY')).d.user.id : id, gateway, voice: undefined };
}

/** One act, whatever it is; nothing when it makes no sense now. */
async function act(
  sandbox: Sandbox,
  bots: readonly Bot[],
  channels: readonly string[],
  random: Random,
): Promise<string> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const { people, faults, guildId } = sandbox;
  const bot = pick(bots);
  const person = pick(people.list());
  const channelId = pick(channels);
  const isOpen = bot.voice !== undefined && bot.voice.ws.readyState === bot.voice.ws.OPEN;
  const inVoice = sandbox.voice.sessions().some(({ userId }) => userId === bot.id);
  switch (Math.floor(random() * 12)) {
    case 0:
    case 1:
    case 2: {
      if (isOpen || inVoice) return 'nothing';
      bot.voice?.end();
      const ticket = await takeTicket(sandbox, bot.gateway, channelId).catch(() => undefined);
      if (ticket === undefined) return 'nothing';
      bot.voice = await VoiceClient.live(ticket);
      await bot.voice.settled();
      return 'bot joins';
    }
    case 3:
      bot.gateway.send({ op: 4, d: { guild_id: guildId, channel_id: null } });
      await bot.gateway.settled();
      return 'bot leaves';
    case 4:
      faults.voice.cut({ userId: bot.id });
      return 'bot is cut';
    case 5: {
      if (isOpen || bot.voice === undefined || !inVoice) return 'nothing';
      const { ticket, seq } = bot.voice;
      const again = VoiceClient.to(ticket);
      again.resume(seq);
      await again.op(9).catch(() => {});
      bot.voice.end();
      bot.voice = again;
      return 'bot resumes';
    }
    case 6:
      await person.joinVoice(channelId);
      return 'person joins';
    case 7:
      await person.leaveVoice();
      return 'person leaves';
    case 8:
      if (inVoice) await people.owner.move(bot.id, channelId);
      return 'bot is moved';
    case 9:
      if (inVoice) await people.owner.disconnect(bot.id);
      return 'bot is thrown out';
    case 10:
      if (person.channelId !== null) await person.speak();
      return 'person speaks';
    default:
      faults.voice.forgetSessions();
      return 'sessions are forgotten';
  }
}

function check(sandbox: Sandbox, channels: readonly string[]): void {
  const sessions = sandbox.voice.sessions();
  const ssrcs = sessions.flatMap(({ audioSsrc, streams }) => [
    audioSsrc,
    ...streams.flatMap(({ ssrc, rtxSsrc }) => [ssrc, rtxSsrc]),
  ]);
  expect(new Set(ssrcs).size).toBe(ssrcs.length);
  expect(new Set(sessions.map(({ userId }) => userId)).size).toBe(sessions.length);
  for (const channelId of channels) {
    const inside = [
      ...sessions
        .filter((session) => session.channelId === channelId && session.stage === 'live')
        .map(({ userId }) => userId),
      ...sandbox.people
        .list()
        .filter((person) => person.channelId === channelId)
        .map(({ id }) => id),
    ];
    expect([...(sandbox.voice.channel(channelId)?.userIds ?? [])].sort()).toEqual(inside.sort());
  }
  expect(sandbox.voice.counters.internalErrors).toBe(0);
}

test.each([1, 2, 3, 4])('seed %i', async (seed) => {
  await using sandbox = await createSandbox({ seed, rateLimits: false, voice: { dave: false } });
  const random = createRandom(seed);
  const other = await sandbox.channels.create({ name: 'other', kind: 'voice' });
  const channels = [sandbox.voiceChannelId, other.id];
  const bots = await Promise.all([0, 1, 2].map((n) => newBot(sandbox, n)));
  for (const name of ['anna', 'ben']) await sandbox.people.create({ name });
  const done: string[] = [];
  try {
    for (let n = 0; n < ACTS; n += 1) {
      done.push(await act(sandbox, bots, channels, random));
      // A bot's socket may still be about to close: the sandbox is asked until it is quiet.
      await vi.waitFor(() => check(sandbox, channels), { interval: 2 });
    }
    for (const bot of bots) {
      bot.gateway.send({ op: 4, d: { guild_id: sandbox.guildId, channel_id: null } });
      await bot.gateway.settled();
    }
    for (const person of sandbox.people.list()) await person.leaveVoice();
    check(sandbox, channels);
    expect(sandbox.voice.sessions()).toEqual([]);
    expect(channels.map((id) => sandbox.voice.channel(id))).toEqual([undefined, undefined]);
    expect(new Set(done).size).toBeGreaterThan(7);
  } catch (error) {
    throw new Error(`after ${done.join(', ')}`, { cause: error });
  } finally {
    for (const { voice, gateway } of bots) {
      voice?.end();
      gateway.terminate();
    }
  }
});
