/**
 * Owns the gateway of one ownership: connected when it begins, detached when it ends, its events published as the
 * owner's. Refuses to close it: the session is the next owner's, who resumes it.
 */
import {
  type Clock,
  check,
  type DomainEvent,
  type Logger,
  resolveOptions,
  silentLogger,
  systemClock,
} from '@guildkit/core';
import type { SessionStore } from '@guildkit/gateway';
import { fenceOf, luaFence, type RedisFence, throwFenced } from './fence.js';
import { OwnedDelivery } from './owned-delivery.js';
import type { RedisEngine } from './redis-engine.js';
import { script } from './scripts.js';
import { redisSessionStore } from './session-store.js';
import type { ShardOwnership } from './shard-owner.js';
import { type RedisStoreOptions, storeBase } from './store.js';

/** What is needed of a gateway client: `DiscordGatewayClient` fits. */
export interface OwnedGateway {
  /** Connects, resuming what the session store has. Rejects when no retry can help. */
  connect(): Promise<void>;
  /** Ends the connection, not the session. */
  detach(): Promise<void>;
  /** Listens to every domain event. */
  onEvent(name: '*', listener: (event: DomainEvent) => void): unknown;
  /** Tells when it has ended; `fatal`: no retry can help. */
  on(name: 'closed', listener: (event: { readonly reason: string; readonly error: unknown }) => void): unknown;
}

/** Settings of {@link runOwnedGateway}. */
export interface OwnedGatewayOptions extends RedisStoreOptions {
  /** Of the hub that the events are published to. */
  readonly engine: Pick<RedisEngine, 'fenced'>;
  /** Makes the client, with this session store; not connected yet. Called once for each ownership. */
  readonly gateway: (sessionStore: SessionStore) => OwnedGateway;
  /**
   * Takes an event: a hub's `publishDiscordEvent`, or what ends there. Called in order for each guild, the next when the
   * last was taken. `'failed'` or a rejection: it is called again with the same event while the ownership lasts.
   */
  readonly publish: (event: DomainEvent) => Promise<unknown>;
  /** Where the session is kept. @defaultValue `redisSessionStore({ client, prefix, ownership })` */
  readonly sessionStore?: SessionStore | undefined;
  /** How long events that wait have to be taken at a hand-over, in ms. @defaultValue 5000 */
  readonly drainMs?: number | undefined;
  /** Events that may wait: with more the ownership is given back, and the next owner is told them. @defaultValue 10000 */
  readonly maxQueued?: number | undefined;
  /** pino's shape. @defaultValue silent */
  readonly logger?: Logger | undefined;
}

const DEFAULTS = {
  client: undefined as RedisStoreOptions['client'] | undefined,
  prefix: 'guildkit',
  commandTimeoutMs: 2_000,
  clock: undefined as Clock | undefined,
  engine: undefined as OwnedGatewayOptions['engine'] | undefined,
  gateway: undefined as OwnedGatewayOptions['gateway'] | undefined,
  publish: undefined as OwnedGatewayOptions['publish'] | undefined,
  sessionStore: undefined as SessionStore | undefined,
  drainMs: 5_000,
  maxQueued: 10_000,
  logger: silentLogger,
};

type Settings = typeof DEFAULTS & Pick<OwnedGatewayOptions, 'client' | 'engine' | 'gateway' | 'publish'>;

/**
 * Runs a gateway for one ownership: the `run` of `createShardOwner`. Resumes the session that is stored, publishes each
 * event in order, stores the session's place only up to what was taken, detaches when the ownership ends.
 *
 * @throws TypeError on options out of range; what the gateway failed with when no retry can help (rejects).
 */
export async function runOwnedGateway(ownership: ShardOwnership, options: OwnedGatewayOptions): Promise<void> {
  const settings = resolveOptions('runOwnedGateway', DEFAULTS, options, {
    engine: (value) => (typeof value === 'object' && value !== null ? undefined : 'must be a Redis engine'),
    gateway: check.function(),
    publish: check.function(),
    drainMs: check.integer(0, 600_000),
    maxQueued: check.integer(1),
  }) as Settings;
  const { client, prefix, commandTimeoutMs, engine, publish, drainMs, logger } = settings;
  const store = { client, prefix, commandTimeoutMs, clock: settings.clock };
  const { signal } = ownership;
  if (signal.aborted) return;

  const delivery = new OwnedDelivery({
    ownership,
    store: settings.sessionStore ?? redisSessionStore({ ...store, ownership }),
    take: (event) => engine.fenced(ownership, () => publish(event)),
    told: toldEvents(store, ownership),
    maxQueued: settings.maxQueued,
    onFull: () => {
      logger.error({ name: ownership.name, queued: delivery.queued }, 'too many events wait: the shard is given back');
      ownership.resign();
    },
    clock: settings.clock ?? systemClock,
  });
  const gateway = settings.gateway(delivery.sessionStore);
  gateway.onEvent('*', (event) => delivery.deliver(event));
  const over = new Promise<void>((resolve) => {
    const end = (): void => {
      // At once: what comes from here on is the next owner's.
      void gateway.detach();
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
  });
  const failed = new Promise<never>((_, reject) => {
    gateway.on('closed', ({ reason, error }) => {
      if (reason === 'fatal') reject(error);
    });
    // Ended by detach() it rejects too.
    gateway.connect().catch((error: unknown) => {
      if (!signal.aborted) reject(error);
    });
  });
  try {
    await Promise.race([over, failed]);
  } finally {
    await gateway.detach();
    await delivery.drain(drainMs);
  }
}

const HAS = script(`return redis.call('EXISTS', KEYS[1])`);
const ADD = script(`${luaFence(1, 1)}return redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])`);

/** Discord replays what it has for minutes. */
const TOLD_MS = 3_600_000;

/** Events that were taken, by id, for all owners. */
function toldEvents(options: RedisStoreOptions, ownership: RedisFence) {
  const { runner, prefix } = storeBase('runOwnedGateway', options);
  const keyOf = (eventId: string) => `${prefix}:told:${eventId}`;
  return {
    has: async (eventId: string) => (await runner.run(HAS, [keyOf(eventId)], [])) === 1,
    async add(eventId: string): Promise<void> {
      const key = keyOf(eventId);
      const fence = fenceOf(ownership, key);
      await runner
        .run(ADD, [key, ...fence.keys], [TOLD_MS, ...fence.args])
        .catch((error) => throwFenced(error, ownership));
    },
  };
}
