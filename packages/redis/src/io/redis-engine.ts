/**
 * Owns the hub's engine on Redis: room logs and states that several processes share. Refuses to publish where Redis is
 * not: what was not appended there is an error, never a local event.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { type Clock, check, resolveOptions, systemClock } from '@guildkit/core';
import type { Position, RoomSnapshot } from '@guildkit/core/wire';
import type { HubEngine, NewRoomEvent, RoomListener, RoomRead, RoomRecord } from '@guildkit/server-kit/hub';
import { RedisError } from '../errors.js';
import { CHECKPOINT, GROUP, JOIN_GROUP, PUBLISH, READ } from './engine-scripts.js';
import { fenceOf, type RedisFence, throwFenced } from './fence.js';
import { ManyRooms } from './many-rooms.js';
import type { RedisClient, RedisSubscriber } from './port.js';
import { RoomFeed } from './room-feed.js';
import { type ApplyRoomEvent, fold } from './room-tail.js';
import { type Script, ScriptRunner, within } from './scripts.js';
import { type OpenRoom, TailChecks } from './tail-checks.js';
import { ViewerLeases } from './viewer-leases.js';

/** The hub's engine on Redis. */
export interface RedisEngine extends HubEngine {
  /**
   * Runs work whose publishes are those of an owner: as soon as another was elected, or the server has lost what it
   * acknowledged, they reject with `ERR_REDIS_OWNER_DEPOSED` and change nothing. Reads are of Redis, never of what this
   * process keeps. Holds for what the work awaits, too: a hub's `publishDiscordEvent`.
   * Publishes outside of it are nobody's, and always taken.
   */
  fenced<T>(ownership: RedisFence, work: () => T): T;
}

/** What an engine tells beside events. */
export interface RedisEngineFilled {
  readonly room: string;
  /** Events that had not come over the connection and were read from the log. */
  readonly events: number;
  /** `false`: the log is of another epoch or holds too little, so readers get the room's state instead. */
  readonly isRecovered: boolean;
}

/** Settings of {@link redisEngine}. */
export interface RedisEngineOptions {
  /** A connected client; the engine makes a second connection of it and closes only that one. */
  readonly client: RedisClient;
  /** `applyRoomEvent` of `@guildkit/server-kit/hub`. */
  readonly applyRoomEvent: ApplyRoomEvent;
  /** `initialRoomState` of `@guildkit/server-kit/hub`. */
  readonly initialRoomState: (room: string) => RoomSnapshot;
  /** Of every key and channel. @defaultValue 'guildkit' */
  readonly prefix?: string | undefined;
  /** Events kept for each room. @defaultValue 1000 */
  readonly maxEvents?: number | undefined;
  /** How long an event is given back, in ms. @defaultValue 300000: longer than a reload, a tunnel or a deploy */
  readonly maxAgeMs?: number | undefined;
  /** Event ids remembered for each room. @defaultValue 4096 */
  readonly maxIds?: number | undefined;
  /** How long Redis may take to answer, in ms. @defaultValue 5000 */
  readonly commandTimeoutMs?: number | undefined;
  /** How often listened rooms are compared with their logs, in ms: a lost last event leaves no hole. @defaultValue 7000 */
  readonly tailCheckMs?: number | undefined;
  /** A hole was filled, or could not be. */
  readonly onFilled?: ((filled: RedisEngineFilled) => void) | undefined;
  /** An error of the second connection, which connects again by itself. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Of timers, and of ages when given: those go by the server's time otherwise. */
  readonly clock?: Clock | undefined;
}

const DEFAULTS = {
  client: undefined as RedisClient | undefined,
  applyRoomEvent: undefined as ApplyRoomEvent | undefined,
  initialRoomState: undefined as ((room: string) => RoomSnapshot) | undefined,
  prefix: 'guildkit',
  maxEvents: 1_000,
  maxAgeMs: 300_000,
  maxIds: 4_096,
  commandTimeoutMs: 5_000,
  tailCheckMs: 7_000,
  onFilled: (() => {}) as (filled: RedisEngineFilled) => void,
  onError: (() => {}) as (error: unknown) => void,
  clock: undefined as Clock | undefined,
};

/** Events of a listened room that are kept here: a storm of reconnects asks this process, not Redis. */
const RING_SIZE = 256;
/** The state is written down after so many events: a reader never has to apply more than about that. */
const CHECKPOINT_EVERY = 64;
const RETRY_MS = 500;

const isFunction = (value: unknown) => (typeof value === 'function' ? undefined : 'must be a function');

/**
 * Creates an engine on Redis 7 or newer, for any number of processes.
 *
 * @throws TypeError on options out of range.
 */
export function redisEngine(options: RedisEngineOptions): RedisEngine {
  const settings = resolveOptions('redisEngine', DEFAULTS, options, {
    client: (value) => (typeof value === 'object' && value !== null ? undefined : 'must be a client'),
    applyRoomEvent: isFunction,
    initialRoomState: isFunction,
    maxEvents: check.integer(1, 1_000_000),
    maxAgeMs: check.integer(1),
    maxIds: check.integer(1, 10_000_000),
    commandTimeoutMs: check.integer(1),
    tailCheckMs: check.integer(1),
  });
  return new EngineOnRedis(settings as RedisEngineSettings);
}

type RedisEngineSettings = typeof DEFAULTS & Pick<RedisEngineOptions, 'client' | 'applyRoomEvent' | 'initialRoomState'>;

class EngineOnRedis implements RedisEngine {
  private readonly settings: RedisEngineSettings;
  private readonly clock: Clock;
  private readonly runner: ScriptRunner;
  private readonly feeds = new Map<string, { readonly feed: RoomFeed; readonly open: Promise<void>; stop(): void }>();
  /** Room → the group and epoch it was last seen in: added again when the room has begun anew. */
  private readonly grouped = new Map<string, string>();
  private readonly checkpoints = new Set<string>();
  /** For whom a publish is made: a hub lies between the owner's call and ours. */
  private readonly fence = new AsyncLocalStorage<RedisFence>();
  private subscriber: Promise<RedisSubscriber> | undefined;
  private readonly checks: TailChecks;
  private readonly leases: ViewerLeases;
  private readonly boot = randomBytes(9).toString('base64url');
  private epochs = 0;
  private isClosed = false;

  constructor(settings: RedisEngineSettings) {
    this.settings = settings;
    this.clock = settings.clock ?? systemClock;
    this.runner = new ScriptRunner(settings.client, settings.commandTimeoutMs, this.clock);
    const { runner } = this;
    const manyRooms = new ManyRooms();
    this.leases = new ViewerLeases({ runner, manyRooms, time: () => this.time() });
    this.checks = new TailChecks({
      clock: this.clock,
      runner,
      manyRooms,
      everyMs: settings.tailCheckMs,
      retryMs: RETRY_MS,
      maxAgeMs: settings.maxAgeMs,
      rooms: () => this.openRooms(),
    });
  }

  fenced<T>(ownership: RedisFence, work: () => T): T {
    return this.fence.run(ownership, work);
  }

  async publish(room: string, event: NewRoomEvent): Promise<{ epoch: string; seq: number; duplicate: boolean }> {
    this.assertOpen();
    const { maxEvents, maxIds, maxAgeMs } = this.settings;
    const payload = event.json ?? JSON.stringify(event.payload ?? null);
    const body = `${JSON.stringify([event.event, event.id, event.ts, event.traceId])}\n${payload}`;
    const isStateless = this.isStateless(room);
    const isEnd = isStateless || (event.event === 'room.deleted' && room.startsWith('channel:'));
    const grouped = this.grouped.get(room);
    const { group } = event;
    // Before the event: a group that names a room too many is read in vain, one too few is a room that is not read.
    if (group !== undefined && !grouped?.startsWith(`${group} `)) await this.joinGroup(group, room);
    const args = [this.nextEpoch(), event.id, body, this.time(), maxEvents, maxIds, isStateless ? 1 : 0];
    const reply = await this.write(PUBLISH, this.keys(room), [...args, isEnd ? maxAgeMs * 2 : 0, this.channel(room)]);
    const [epoch, seq, duplicate, behind] = reply as [string, string, number, string | number];
    if (group !== undefined && grouped !== `${group} ${epoch}`) {
      await this.joinGroup(group, room);
      if (this.grouped.size >= 100_000) this.grouped.clear();
      this.grouped.set(room, `${group} ${epoch}`);
    }
    if (Number(behind) >= CHECKPOINT_EVERY) this.checkpoint(room);
    const position = { epoch, seq: Number(seq) };
    if (duplicate === 0) this.feeds.get(room)?.feed.onPublished(position);
    return { ...position, duplicate: duplicate === 1 };
  }

  async read(room: string, since?: Position): Promise<RoomRead> {
    this.assertOpen();
    // What an owner does may depend on what it reads: a room that Redis has lost must not be taken for what it was.
    const own = this.fence.getStore() === undefined ? this.feeds.get(room)?.feed.read(since) : undefined;
    return own ?? (await this.readLog(room, since, false));
  }

  async watch(room: string, listener: RoomListener): Promise<() => void> {
    this.assertOpen();
    // A function of its own, so that one listener may watch twice.
    const own: RoomListener = (record) => listener(record);
    let entry = this.feeds.get(room);
    if (entry === undefined) {
      entry = this.open(room);
      this.feeds.set(room, entry);
    }
    const { feed, open } = entry;
    feed.listeners.add(own);
    const stop = () => {
      feed.listeners.delete(own);
      if (feed.listeners.size > 0 || this.feeds.get(room)?.feed !== feed) return;
      this.feeds.get(room)?.stop();
      this.feeds.delete(room);
    };
    try {
      await open;
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  }

  async rooms(group: string): Promise<readonly string[]> {
    this.assertOpen();
    return (await this.runner.run(GROUP, [this.groupKey(group)], [])) as string[];
  }

  async setViewers(room: string, node: string, userIds: readonly string[], ttlMs: number): Promise<void> {
    this.assertOpen();
    await this.leases.set(this.key(room, 'viewers'), node, userIds, ttlMs);
  }

  async viewers(room: string): Promise<readonly string[]> {
    this.assertOpen();
    return await this.leases.list(this.key(room, 'viewers'));
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.checks.close();
    for (const { feed } of this.feeds.values()) feed.close();
    this.feeds.clear();
    this.grouped.clear();
    (await this.subscriber?.catch(() => undefined))?.destroy();
  }

  private open(room: string): { feed: RoomFeed; open: Promise<void>; stop(): void } {
    const { applyRoomEvent, onFilled } = this.settings;
    const feed = new RoomFeed(
      {
        clock: this.clock,
        applyRoomEvent,
        ringSize: RING_SIZE,
        retryMs: RETRY_MS,
        read: (name, since, isBrief) => this.readLog(name, since, isBrief),
        onFilled: (name, events, isRecovered) => onFilled({ room: name, events, isRecovered }),
      },
      room,
    );
    const channel = this.channel(room);
    const onMessage = (message: string) => feed.onMessage(parseMessage(room, message));
    const subscribed = this.connect().then(async (subscriber) => {
      await within(subscriber.sSubscribe(channel, onMessage), this.settings.commandTimeoutMs, this.clock);
      return subscriber;
    });
    return {
      feed,
      open: subscribed.then(() => feed.fill()),
      stop: () => {
        feed.close();
        subscribed.then((subscriber) => subscriber.sUnsubscribe(channel, onMessage)).catch(() => {});
      },
    };
  }

  /** The second connection, made when the first room is listened to. */
  private connect(): Promise<RedisSubscriber> {
    this.subscriber ??= this.makeSubscriber().catch((error: unknown) => {
      this.subscriber = undefined;
      throw error;
    });
    return this.subscriber;
  }

  private async makeSubscriber(): Promise<RedisSubscriber> {
    const subscriber = this.settings.client.duplicate();
    subscriber.on('error', (error) => {
      this.checks.doubt();
      this.settings.onError(error);
    });
    subscriber.on('ready', () => this.checks.check());
    try {
      await within(subscriber.connect(), this.settings.commandTimeoutMs, this.clock);
    } catch (error) {
      subscriber.destroy();
      throw error;
    }
    this.checks.start();
    return subscriber;
  }

  private *openRooms(): Iterable<OpenRoom> {
    for (const [room, { feed }] of this.feeds) yield { feed, keys: [this.key(room, 'meta'), this.key(room, 'log')] };
  }

  private async readLog(room: string, since: Position | undefined, isBrief: boolean): Promise<RoomRead> {
    const { maxEvents, maxAgeMs, applyRoomEvent, initialRoomState } = this.settings;
    const isStateless = this.isStateless(room);
    const reply = await this.runner.run(READ, this.keys(room), [
      this.nextEpoch(),
      since?.epoch ?? '',
      since?.seq ?? -1,
      this.time(),
      maxEvents,
      maxAgeMs,
      isStateless ? 1 : 0,
      isBrief ? 1 : 0,
    ]);
    const [epoch, seqText, recovered, snapSeq, snap, flat] = reply as [
      string,
      string,
      number,
      string,
      string,
      string[],
    ];
    const records: RoomRecord[] = [];
    for (let n = 0; n + 1 < flat.length; n += 2) {
      const record = parseRecord(room, epoch, Number(flat[n]), flat[n + 1] as string);
      if (record === undefined) throw new RedisError('ERR_REDIS_REPLY_MALFORMED');
      records.push(record);
    }
    const isRecovered = recovered === 1;
    const events = isRecovered ? records.filter(({ seq }) => seq > (since?.seq ?? 0)) : [];
    const state = snap === '' ? initialRoomState(room) : (JSON.parse(snap) as RoomSnapshot);
    const isBriefly = isBrief && isRecovered;
    const after = isBriefly ? [] : records.filter(({ seq }) => seq > Number(snapSeq));
    return {
      epoch,
      seq: Number(seqText),
      recovered: isRecovered,
      events,
      snapshot: fold(applyRoomEvent, state, after),
    };
  }

  /** Writes the state down. Left to the next event when it fails: the log keeps what it would have covered. */
  private checkpoint(room: string): void {
    if (this.checkpoints.has(room)) return;
    this.checkpoints.add(room);
    const { maxEvents, maxAgeMs } = this.settings;
    this.readLog(room, undefined, false)
      .then(({ epoch, seq, snapshot }) =>
        this.runner.run(CHECKPOINT, this.keys(room), [
          epoch,
          seq,
          JSON.stringify(snapshot),
          this.time(),
          maxEvents,
          maxAgeMs,
        ]),
      )
      .catch(() => {})
      .finally(() => this.checkpoints.delete(room));
  }

  private async joinGroup(group: string, room: string): Promise<void> {
    await this.write(JOIN_GROUP, [this.groupKey(group)], [room]);
  }

  /** Runs a script for the owner whose work this is, if it is one's. */
  private async write(what: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const ownership = this.fence.getStore();
    const fence = fenceOf(ownership, keys[0] as string);
    try {
      return await this.runner.run(what, [...keys, ...fence.keys], [...args, ...fence.args]);
    } catch (error) {
      return throwFenced(error, ownership);
    }
  }

  /** One that no room has had: offered with each script, taken where the old one may not go on. */
  private nextEpoch(): string {
    this.epochs += 1;
    return `${this.boot}.${this.epochs.toString(36)}`;
  }

  private isStateless(room: string): boolean {
    return this.settings.initialRoomState(room).kind === 'none';
  }

  private time(): string {
    return this.settings.clock === undefined ? '' : String(Math.floor(this.settings.clock.wallTime()));
  }

  private keys(room: string): readonly string[] {
    return [this.key(room, 'meta'), this.key(room, 'log'), this.key(room, 'ids')];
  }

  /** The braces put all of a room's keys, and its channel, on one node of a cluster. */
  private key(room: string, part: string): string {
    return `${this.settings.prefix}:{${room}}:${part}`;
  }

  private channel(room: string): string {
    return this.key(room, 'feed');
  }

  private groupKey(group: string): string {
    return `${this.settings.prefix}:{${group}}:group`;
  }

  private assertOpen(): void {
    if (this.isClosed) throw new RedisError('ERR_REDIS_ENGINE_CLOSED');
  }
}

/** `epoch seq body`; `undefined` for what the scripts do not send. */
function parseMessage(room: string, message: string): RoomRecord | undefined {
  const first = message.indexOf(' ');
  const second = message.indexOf(' ', first + 1);
  if (first < 1 || second < 0) return undefined;
  const seq = Number(message.slice(first + 1, second));
  return parseRecord(room, message.slice(0, first), seq, message.slice(second + 1));
}

function parseRecord(room: string, epoch: string, seq: number, body: string): RoomRecord | undefined {
  if (!Number.isSafeInteger(seq) || seq < 1) return undefined;
  // The payload stands as it is, behind the line with the rest: JSON within JSON would be written and read twice.
  const line = body.indexOf('\n');
  if (line < 0) return undefined;
  const payload = body.slice(line + 1);
  try {
    const [event, id, ts, traceId] = JSON.parse(body.slice(0, line)) as [string, string, number, string | null];
    if (typeof event !== 'string' || typeof id !== 'string') return undefined;
    const record = { room, epoch, seq, event, payload, id, ts };
    return Object.freeze(typeof traceId === 'string' ? { ...record, traceId } : record);
  } catch {
    return undefined;
  }
}
