/**
 * Owns where the app keeps what outlives a request: in this process, or in Redis for all processes of the app. Refuses to
 * begin without a Redis that was asked for: what this process would keep to itself the others would miss.
 */
import { randomUUID } from 'node:crypto';
import { createRedactor, type Logger, messageOf, type Redacted } from '@guildkit/core';
import {
  type RedisEngine,
  redisAnswerStore,
  redisEngine,
  redisIdentifyQueue,
  redisInviteStore,
  redisRateLimitStore,
  redisReplayStore,
  redisRoomStore,
  redisSuccessorStore,
  redisTokenBucketStore,
} from '@guildkit/redis';
import { applyRoomEvent, initialRoomState } from '@guildkit/server-kit/hub';
import { createClient } from 'redis';
import { type Notes, noNotes, redisNotes } from './notes.js';

/** How long the start waits for Redis. */
const CONNECT_MS = 5_000;
/** How often Redis is asked whether it is there, and how long it may take to answer. */
const LOOK_EVERY_MS = 1_000;
const ANSWER_MS = 2_000;
const MAX_RECONNECT_MS = 1_000;
/** How long it may take to answer when the process stops. */
const GONE_MS = 1_000;

/** The connection that several processes share. */
export interface SharedRedis {
  /** Names this process to the others. */
  readonly processId: string;
  readonly client: ReturnType<typeof connect>;
  /** Of every key: another bot's app on the same server has another one. */
  readonly prefix: string;
  readonly engine: RedisEngine;
  /** Whether Redis has answered lately. */
  readonly isThere: boolean;
  /** Calls back when Redis does not answer any more, and when it does again. */
  onChange(listener: (isThere: boolean) => void): void;
  /** Before a stop: a Redis that does not answer now is not waited for by each part in turn. */
  giveUpIfGone(): Promise<void>;
  close(): Promise<void>;
}

/** What the packages are given; what is left out they keep in this process. */
export interface Stores {
  readonly shared: SharedRedis | undefined;
  readonly notes: Notes;
  readonly rateLimitStore?: ReturnType<typeof redisRateLimitStore>;
  readonly identifyQueue?: ReturnType<typeof redisIdentifyQueue>;
  readonly successors?: ReturnType<typeof redisSuccessorStore>;
  readonly invites?: ReturnType<typeof redisInviteStore>;
  readonly rooms?: ReturnType<typeof redisRoomStore>;
  readonly replay?: ReturnType<typeof redisReplayStore>;
  readonly buckets?: ReturnType<typeof redisTokenBucketStore>;
  readonly answers?: ReturnType<typeof redisAnswerStore>;
}

/** @throws Error when Redis does not answer. Its message holds no password. */
export async function openStores(redisUrl: Redacted | undefined, guildId: string, logger: Logger): Promise<Stores> {
  if (redisUrl === undefined) return { shared: undefined, notes: noNotes };
  const shared = await openRedis(redisUrl, `game-room:${guildId}`, logger);
  const { client, prefix } = shared;
  const options = { client, prefix };
  const onError = (error: unknown): void => logger.warn({ reason: messageOf(error) }, 'Redis did not keep a note');
  return {
    shared,
    notes: redisNotes(client, prefix, onError),
    rateLimitStore: redisRateLimitStore(options),
    identifyQueue: redisIdentifyQueue(options),
    successors: redisSuccessorStore(options),
    invites: redisInviteStore(options),
    rooms: redisRoomStore(options),
    replay: redisReplayStore(options),
    buckets: redisTokenBucketStore(options),
    answers: redisAnswerStore(options),
  };
}

function connect(url: string) {
  return createClient({
    url,
    // What waits here while Redis is away would be done long after its caller was told that it failed.
    disableOfflineQueue: true,
    socket: {
      connectTimeout: CONNECT_MS,
      reconnectStrategy: (tries) =>
        Math.min(MAX_RECONNECT_MS, 50 * 2 ** Math.min(tries, 10)) * (0.5 + Math.random() / 2),
    },
  });
}

async function openRedis(url: Redacted, prefix: string, logger: Logger): Promise<SharedRedis> {
  const client = connect(url.reveal());
  const redact = createRedactor([url, ...passwordsOf(url.reveal())]);
  const listeners = new Set<(isThere: boolean) => void>();
  let isThere = true;
  let isClosed = false;

  const tell = (now: boolean, reason = ''): void => {
    if (now === isThere || isClosed) return;
    isThere = now;
    if (now) logger.info({}, 'Redis is back');
    else logger.error({ reason: redact(reason) }, 'Redis does not answer');
    for (const listener of listeners) listener(now);
  };
  client.on('error', (error: unknown) => tell(false, messageOf(error)));
  const engine = redisEngine({
    client,
    applyRoomEvent,
    initialRoomState,
    prefix,
    onError: (error) =>
      logger.warn({ reason: redact(messageOf(error)) }, 'the connection that listens to Redis failed'),
  });

  let timer: NodeJS.Timeout | undefined;
  try {
    await inTime(client.connect(), CONNECT_MS);
  } catch (error) {
    client.destroy();
    throw new Error(
      `Redis does not answer at REDIS_URL: ${redact(messageOf(error))}. Start it, or leave REDIS_URL out.`,
    );
  }
  // A server that is stopped or cut off keeps its connections open: only asking shows it.
  const look = async (): Promise<void> => {
    try {
      await inTime(client.ping(), ANSWER_MS);
      tell(true);
    } catch (error) {
      tell(false, messageOf(error));
    }
    if (!isClosed) timer = setTimeout(() => void look(), LOOK_EVERY_MS);
  };
  void look();

  return {
    processId: randomUUID(),
    client,
    prefix,
    engine,
    get isThere() {
      return isThere;
    },
    onChange: (listener) => void listeners.add(listener),
    async giveUpIfGone() {
      await inTime(client.ping(), GONE_MS).catch(() => client.destroy());
    },
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await engine.close();
      // Answers that are on their way are waited for, unless nobody gives them.
      if (client.isOpen) await inTime(client.close(), ANSWER_MS).catch(() => client.destroy());
    },
  };
}

function passwordsOf(url: string): readonly string[] {
  const found = /^[a-z]+:\/\/[^@/]*:([^@/]+)@/.exec(url)?.[1];
  return found === undefined ? [] : [found, decodeURIComponent(found)];
}

async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
