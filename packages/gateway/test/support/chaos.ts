/** One client against one sandbox, with everything counted that a chaos case asserts. */
import type { DomainEvent } from '@guildkit/core';
import {
  DiscordGatewayClient,
  type DiscordGatewayClientOptions,
  type GapEvent,
  type GatewayError,
  type GatewayEvents,
} from '@guildkit/gateway';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { expect, vi } from 'vitest';
import { type FastClock, fastClock } from './fast-clock.js';

/** Client seconds go by in 25 ms: fast, and far from what a busy machine delays. */
const SPEED = 40;

/** A client, its sandbox, and what is noted of them. */
export interface Arena {
  readonly sandbox: Sandbox;
  readonly client: DiscordGatewayClient;
  readonly clock: FastClock;
  readonly errors: GatewayError[];
  readonly gaps: GapEvent[];
  /** `from to reason code`. */
  readonly changes: string[];
  readonly events: DomainEvent[];
  /** What a person did, and what was told of them, as short words. */
  readonly did: string[];
  told(): string[];
  /** The person joins, leaves, mutes: whatever is possible and was not done last. */
  act(): Promise<void>;
  next<K extends keyof GatewayEvents>(name: K): Promise<GatewayEvents[K]>;
  /** Resolves when the session is lost sight of. */
  lost(): Promise<void>;
}

/** Options of the client, and how often it has to beat. */
export type ArenaOptions = Partial<Omit<DiscordGatewayClientOptions, 'clock'>> & {
  readonly heartbeatIntervalMs?: number;
  readonly clock?: FastClock;
};

/** Sets a stage, plays, and sees that nothing is left of it. */
export async function arena(play: (arena: Arena) => Promise<void>, options: ArenaOptions = {}): Promise<void> {
  const { heartbeatIntervalMs, clock = fastClock(SPEED), ...clientOptions } = options;
  const sandbox = await createSandbox({
    rateLimits: false,
    ...(heartbeatIntervalMs === undefined ? {} : { heartbeatIntervalMs }),
  });
  const client = new DiscordGatewayClient({
    ...sandbox.connection,
    intents: ['Guilds', 'GuildVoiceStates'],
    clock,
    ...clientOptions,
  });
  const errors: GatewayError[] = [];
  const gaps: GapEvent[] = [];
  const changes: string[] = [];
  const events: DomainEvent[] = [];
  client.on('error', (error) => errors.push(error));
  client.on('gap', (gap) => gaps.push(gap));
  client.on('stateChange', ({ from, to, reason, code }) =>
    changes.push(`${from} ${to} ${reason} ${code ?? ''}`.trim()),
  );
  client.onEvent('*', (event) => events.push(event));
  const person = await sandbox.people.create({ name: 'ann' });
  const did: string[] = [];
  let muted = false;
  try {
    await play({
      sandbox,
      client,
      clock,
      errors,
      gaps,
      changes,
      events,
      did,
      told: () => events.filter(({ event }) => event !== 'voice.snapshot').map(({ event }) => event),
      async act() {
        const step = did.length % 4;
        if (step === 0) await person.joinVoice(sandbox.voiceChannelId);
        else if (step === 3) await person.leaveVoice();
        else {
          muted = !muted;
          await person.setMute(muted);
        }
        did.push(['voice.joined', 'voice.updated', 'voice.updated', 'voice.left'][step] as string);
      },
      next: (name) => new Promise((resolve) => client.once(name, resolve as never)),
      lost: () =>
        new Promise((resolve) => {
          client.on('stateChange', ({ from }) => from === 'ready' && resolve());
        }),
    });
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    await client.close();
    expect(clock.pending).toBe(0);
    await vi.waitFor(() => expect(sandbox.traffic.counters.gatewayOpen).toBe(0));
  } finally {
    await client.close();
    await sandbox.close();
  }
}

/** Everything that was done was told, once and in order. */
export async function allTold({ told, did }: Arena): Promise<void> {
  await vi.waitFor(() => expect(told().length).toBeGreaterThanOrEqual(did.length), { timeout: 10_000 });
  expect(told()).toEqual(did);
}
