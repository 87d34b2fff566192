/**
 * A thousand schedules of faults, by seed: connections that break in every way, processes that are replaced or killed,
 * over real bytes in virtual time. What was told is checked against what happened.
 */
import type { Clock, DomainEvent } from '@guildkit/core';
import {
  DiscordGatewayClient,
  type GatewayError,
  memorySessionStore,
  type SessionStore,
  type SocketEvents,
} from '@guildkit/gateway';
import { createVirtualClock, type VirtualClock } from '@guildkit/testkit';
import { expect, test, vi } from 'vitest';
import { type Change, type Fate, MemoryDiscord, PEOPLE, TABLES } from '../support/memory-discord.js';
import { seeded } from '../support/seeded.js';

const SCHEDULES = 1_000;
const COMPRESSIONS = ['none', 'zlib-stream', 'zstd-stream'] as const;
const FATES: readonly Fate[] = ['lose', 'repeat', 'swap', 'spoil', 'half'];
/** Those after which the session goes on, and those after which it does not. */
const CODES = [1006, 4000, 4001, 4002, 4005, 4008, 1000, 4007, 4009];

/** What the listeners of all processes know together, and what is wrong with it. */
class Audience {
  readonly seats = new Map<string, string>();
  readonly changes: Change[] = [];
  readonly wrong: string[] = [];
  private readonly ids = new Set<string>();
  /** After a kill, what is told may overlap with what was told before, until the whole is told. */
  sure = true;

  /** A process begins to listen. */
  join(afterKill: boolean): (event: DomainEvent) => void {
    const own = new Set<string>();
    if (afterKill) this.sure = false;
    const mayOverlap = !this.sure;
    return (event) => {
      if (own.has(event.id)) this.wrong.push(`${event.id} was told twice`);
      own.add(event.id);
      if (this.ids.has(event.id)) {
        if (!mayOverlap) this.wrong.push(`${event.id} was told by two processes`);
        return;
      }
      this.ids.add(event.id);
      this.hear(event);
    };
  }

  private hear({ event, payload, id }: DomainEvent): void {
    const { seats } = this;
    if (event === 'voice.snapshot') {
      const { members } = payload as unknown as { members: { userId: string; channelId: string }[] };
      seats.clear();
      for (const { userId, channelId } of members) seats.set(userId, channelId);
      this.sure = true;
      return;
    }
    if (!event.startsWith('voice.')) {
      this.wrong.push(`${event} did not happen`);
      return;
    }
    const { userId, channelId, fromChannelId } = payload as unknown as Record<string, string>;
    const to = event === 'voice.left' ? null : (channelId as string);
    const from = event === 'voice.joined' ? null : event === 'voice.left' ? channelId : fromChannelId;
    const known = seats.get(userId as string) ?? null;
    if (this.sure && known !== from) this.wrong.push(`${id}: ${userId} was in ${known}, not in ${from}`);
    if (to === null) seats.delete(userId as string);
    else seats.set(userId as string, to);
    this.changes.push({ userId: userId as string, from: from as string | null, to });
  }
}

/** A clock that stops with its process. */
function mortal(clock: VirtualClock): { clock: Clock; kill(): void; readonly pending: number } {
  const timers = new Set<unknown>();
  let dead = false;
  return {
    clock: {
      ...clock,
      setTimer(callback, delayMs) {
        if (dead) return undefined;
        const handle = clock.setTimer(() => {
          timers.delete(handle);
          callback();
        }, delayMs);
        timers.add(handle);
        return handle;
      },
      clearTimer(handle) {
        timers.delete(handle);
        clock.clearTimer(handle);
      },
    },
    kill() {
      dead = true;
      for (const handle of timers) clock.clearTimer(handle);
    },
    get pending() {
      return timers.size;
    },
  };
}

interface Outcome {
  readonly problem: string | undefined;
  readonly sessions: number;
  readonly resumes: number;
  readonly kills: number;
  readonly told: number;
}

async function run(seed: number): Promise<Outcome> {
  const random = seeded(seed * 7_919);
  const below = (n: number): number => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const clock = createVirtualClock();
  const discord = new MemoryDiscord(clock, random);
  const audience = new Audience();
  const sessionStore: SessionStore = memorySessionStore();
  const errors: GatewayError[] = [];
  let kills = 0;
  const owed: (() => number)[] = [];
  let process = live(false);

  function live(afterKill: boolean) {
    let alive = true;
    let unsettled = 0;
    owed.push(() => (alive ? unsettled : 0));
    const time = mortal(clock);
    const client = new DiscordGatewayClient({
      token: 'token',
      intents: ['Guilds', 'GuildVoiceStates'],
      compression: pick(COMPRESSIONS),
      fetchGatewayInfo: async () => ({ url: 'wss://gateway.test', shards: 1, session_start_limit: LIMIT }),
      // A dead process neither hears nor dials.
      openSocket: (url, events, socketClock) => {
        if (!alive) return { gone: Promise.resolve(), send: () => false, close() {}, terminate() {} };
        const heard: SocketEvents = {
          onMessage: (data, isBinary) => alive && events.onMessage(data, isBinary),
          onClose: (code) => alive && events.onClose(code),
          onRefused: (status, retryAfterMs) => alive && events.onRefused(status, retryAfterMs),
        };
        return discord.openSocket(url, heard, socketClock);
      },
      sessionStore: {
        ...sessionStore,
        save: (key, session) => (alive ? sessionStore.save(key, structuredClone(session)) : Promise.resolve()),
      },
      clock: time.clock,
      random,
    });
    client.onEvent('*', audience.join(afterKill));
    client.on('error', (error) => errors.push(error));
    client.connect().catch(() => {});
    return {
      client,
      time,
      send() {
        unsettled += 1;
        const settle = (): void => {
          unsettled -= 1;
        };
        client.send({ op: 1, d: 0 } as never).then(settle, settle);
      },
      kill() {
        alive = false;
        time.kill();
        kills += 1;
      },
    };
  }

  /** Its first steps wait for a digest, which virtual time does not make come. */
  async function dialled(): Promise<void> {
    const isUp = (): boolean => process.client.health().shards.length > 0;
    for (let turn = 0; turn < 1_000 && !isUp(); turn += 1) await new Promise((resolve) => setImmediate(resolve));
    if (!isUp()) await vi.waitFor(() => expect(isUp()).toBe(true), { timeout: 10_000, interval: 2 });
  }

  function somethingHappens(): void {
    discord.move(pick(PEOPLE), pick([...TABLES, null]));
  }

  const befalls: readonly (readonly [weight: number, act: () => void | Promise<void>])[] = [
    [12, somethingHappens],
    [6, () => clock.advance(below(3_000))],
    [3, () => clock.advance(below(30_000))],
    [1, () => clock.advance(below(300_000))],
    [2, () => discord.cut()],
    [1, () => discord.cut(pick(CODES))],
    [1, () => discord.reconnect()],
    [1, () => discord.invalidate(random() < 0.8)],
    [1, () => discord.silence()],
    [4, () => void Object.assign(discord, { fate: pick(FATES) })],
    [1, () => void Object.assign(discord, { ignored: pick(['hello', 'identify', 'resume'] as const) })],
    [1, () => void Object.assign(discord, { refusals: below(6) })],
    [1, () => discord.raw(pick(['{', '[]', '{"op":99}', '{"op":0,"t":"X","s":-1}']))],
    [0.3, () => discord.loseSessions()],
    [0.5, () => clock.jumpWall(below(7_200_000) - 3_600_000)],
    [
      1,
      () => {
        process.send();
      },
    ],
    [
      0.7,
      async () => {
        await process.client.detach();
        process = live(false);
        await dialled();
      },
    ],
    [
      0.7,
      async () => {
        process.kill();
        discord.cut();
        process = live(true);
        await dialled();
      },
    ],
  ];
  const weights = befalls.reduce((sum, [weight]) => sum + weight, 0);

  await dialled();
  for (let step = 0; step < 40; step += 1) {
    let at = random() * weights;
    const chosen = befalls.find(([weight]) => {
      at -= weight;
      return at < 0;
    });
    await chosen?.[1]();
  }

  discord.calm();
  const isReady = (): boolean => process.client.health().state === 'ready';
  for (let turn = 0; turn < 60 && !isReady(); turn += 1) await clock.advance(10_000);
  // What was lost last comes to light by the next event; a connection that is silent, by its heart.
  for (const table of [...TABLES, null]) {
    discord.move('ann', table);
    await clock.advance(100_000);
  }
  const ready = isReady();
  await process.client.close();
  await clock.advance(2_000);

  const { wrong, seats, changes } = audience;
  const truth = [...discord.seats].filter(([, table]) => table !== null).sort();
  const problem =
    wrong[0] ??
    (audience.sure ? undefined : 'the whole was not told after a kill') ??
    (ready ? undefined : 'not ready after the weather') ??
    (JSON.stringify([...seats].sort()) === JSON.stringify(truth) ? undefined : 'what is known is not the truth') ??
    (discord.identifies > 1 || JSON.stringify(changes) === JSON.stringify(discord.happened)
      ? undefined
      : 'events were lost, or told in another order, while the session lived') ??
    (process.time.pending === 0 && clock.pending === 0 ? undefined : 'a timer is left') ??
    (discord.openLinks === 0 ? undefined : 'a socket is left') ??
    (owed.every((count) => count() === 0) ? undefined : 'a send did not settle');
  return { problem, sessions: discord.identifies, resumes: discord.resumes, kills, told: changes.length };
}

const LIMIT = { total: 1_000, remaining: 1_000, reset_after: 0, max_concurrency: 1 };

test(`${SCHEDULES} schedules of faults: nothing lost while the session lives, nothing twice, nothing left`, async () => {
  const problems: string[] = [];
  const sum = { sessions: 0, resumes: 0, kills: 0, told: 0, kept: 0 };
  for (let seed = 1; seed <= SCHEDULES; seed += 1) {
    const { problem, ...figures } = await run(seed);
    if (problem !== undefined) problems.push(`seed ${seed}: ${problem}`);
    for (const key of ['sessions', 'resumes', 'kills', 'told'] as const) sum[key] += figures[key];
    if (figures.sessions === 1) sum.kept += 1;
  }
  expect(problems).toEqual([]);
  // They have to get somewhere: sessions that last through several resumes, others that are lost, processes that die.
  expect(sum.kept).toBeGreaterThan(SCHEDULES / 5);
  expect(sum.kept).toBeLessThan(SCHEDULES * 0.9);
  expect(sum.resumes).toBeGreaterThan(SCHEDULES * 2);
  expect(sum.kills).toBeGreaterThan(SCHEDULES / 3);
  expect(sum.told).toBeGreaterThan(SCHEDULES * 4);
});
