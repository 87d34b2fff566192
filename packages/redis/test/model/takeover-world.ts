/**
 * One gateway session and the processes that carry it on, one after the other, some longer than they should: real hubs and
 * real deliveries over an engine whose every step is on its way until the schedule lets it arrive. Owners are elected at
 * any moment: what holds must not depend on when. Redis may go back to what it had saved.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate } from 'node:timers/promises';
import type { DomainEvent } from '@guildkit/core';
import type { SessionStore, StoredSession } from '@guildkit/gateway';
import { type HubEngine, memoryEngine, type NewRoomEvent, RealtimeHub } from '@guildkit/server-kit/hub';
import { createVirtualClock } from '@guildkit/testkit';
import { OwnedDelivery, type OwnedDeliveryOptions } from '../../src/io/owned-delivery.js';

const GUILD = '1';
export const ROOMS = ['10', '20'] as const;

/** What is left out or done otherwise. */
export interface Flaws {
  /** Writes are taken whatever their term. */
  readonly unfenced?: boolean;
  /** A room knows the latest term only once its owner has written there. */
  readonly lazy?: boolean;
  /** Writes are taken by a Redis that has lost what their owner wrote before. */
  readonly timeless?: boolean;
  /** The place is stored as far as events have come, not as far as they were taken. */
  readonly unguarded?: boolean;
  /** Events go out as they come, and again when they failed. */
  readonly unordered?: boolean;
  /** What failed is not tried again. */
  readonly once?: boolean;
  /** Replayed snapshots are taken again. */
  readonly untold?: boolean;
  /** Rooms remember no ids. */
  readonly idless?: boolean;
}

interface Step {
  readonly arrive: () => Promise<void>;
  readonly lose: () => void;
}

interface Change {
  readonly room: string;
  readonly what: 'joined' | 'left';
  readonly userId: string;
}

const SESSION: Omit<StoredSession, 'seq'> = { sessionId: 's', resumeUrl: 'wss://resume', userId: '9', savedAt: 1 };
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn += 1) await setImmediate();
};

/** Discord: everything that happened, and who is where. */
class Discord {
  /** Of the session that goes on. */
  readonly events: DomainEvent[] = [];
  readonly changes: Change[] = [];
  private readonly where = new Map<string, string>();
  session = 0;

  constructor() {
    this.snapshot();
  }

  at(room: string): string[] {
    return [...this.where].flatMap(([userId, at]) => (at === room ? [userId] : [])).sort();
  }

  private base(index = 0) {
    const traceId = `t${this.session}-${this.events.length + 1}`;
    return { id: `${traceId}-${index}`, traceId, ts: 1 };
  }

  snapshot(): void {
    this.events.push({ ...this.base(), ...this.whole() } as DomainEvent);
  }

  /** As GUILD_CREATE tells it. */
  whole() {
    const members = Array.from(this.where, ([userId, channelId]) => ({ ...personOf(userId), channelId }));
    const channels = ROOMS.map((channelId) => ({ channelId, name: channelId }));
    return { event: 'voice.snapshot', payload: { guildId: GUILD, members, channels, timestamp: 1 } } as const;
  }

  move(userId: string, to: string | null): void {
    const from = this.where.get(userId) ?? null;
    if (from === to) return;
    const common = { guildId: GUILD, ...personOf(userId), timestamp: 1 };
    const { mute: _mute, deaf: _deaf, video: _video, ...left } = common;
    if (from !== null) this.changes.push({ room: from, what: 'left', userId });
    if (to !== null) this.changes.push({ room: to, what: 'joined', userId });
    if (to === null) {
      this.where.delete(userId);
      this.events.push({ ...this.base(), event: 'voice.left', payload: { ...left, channelId: from } });
      return;
    }
    this.where.set(userId, to);
    this.events.push(
      from === null
        ? { ...this.base(), event: 'voice.joined', payload: { ...common, channelId: to } }
        : { ...this.base(), event: 'voice.moved', payload: { ...common, channelId: to, fromChannelId: from } },
    );
  }

  /** The session could not go on: what came between is told by a snapshot alone. */
  begin(): void {
    this.session += 1;
    this.events.length = 0;
    this.snapshot();
  }
}

const personOf = (userId: string) => ({
  userId,
  username: userId,
  avatar: null,
  mute: false,
  deaf: false,
  video: false,
});

/** What lasts longer than an ownership. */
interface Process {
  readonly hub: RealtimeHub;
  /** Whose work it is that the hub does. */
  readonly work: AsyncLocalStorage<Owner>;
}

interface Owner {
  readonly term: number;
  /** Of Redis, when it was elected. */
  readonly history: number;
  readonly process: Process;
  readonly delivery: Pick<OwnedDelivery, 'deliver' | 'sessionStore' | 'queued'>;
  readonly abort: AbortController;
  /** What its connection brings, as long as it does. */
  readonly stream: () => DomainEvent | undefined;
  position: number;
  isValid: boolean;
  /** Its work has ended: the process may be elected again. */
  isOver: boolean;
  end(): void;
}

/** What Redis has written to its disk. */
interface Saved {
  readonly published: number;
  readonly stored: StoredSession | undefined;
  readonly told: ReadonlySet<string>;
}

export class TakeoverWorld {
  readonly discord = new Discord();
  readonly owners: Owner[] = [];
  /** What is on its way to Redis. */
  readonly steps: Step[] = [];
  private readonly clock = createVirtualClock();
  private readonly flaws: Flaws;
  private redis: HubEngine;
  private published: { readonly room: string; readonly event: NewRoomEvent }[] = [];
  private told = new Set<string>();
  private saved: Saved | undefined;
  private history = 0;
  private readonly roomTerms = new Map<string, number>();
  /** What connections that are gone had received. */
  private readonly cuts = new Map<Owner, DomainEvent[]>();
  private stored: StoredSession | undefined;
  private term = 0;

  constructor(flaws: Flaws = {}) {
    this.flaws = flaws;
    this.redis = this.makeRedis();
  }

  /** Redis writes itself down. */
  persist(): void {
    const { published, stored, told } = this;
    this.saved = { published: published.length, stored, told: new Set(told) };
  }

  /** Redis goes back to what it had written down. */
  async lose(): Promise<void> {
    const { saved } = this;
    if (saved === undefined) return;
    await this.redis.close();
    this.redis = this.makeRedis();
    this.published = this.published.slice(0, saved.published);
    for (const { room, event } of this.published) await this.redis.publish(room, event);
    this.stored = saved.stored;
    this.told = new Set(saved.told);
    this.saved = undefined;
    this.history += 1;
  }

  private makeRedis(): HubEngine {
    return memoryEngine(this.flaws.idless ? { maxIds: 0 } : {});
  }

  /**
   * Another owner: resumes what is stored, or begins anew. The one before goes on as long as nothing tells it.
   *
   * @param isAgain Whether a process that was the owner before may be it again.
   */
  elect(isNewSession: boolean, isAgain: boolean): void {
    const before = this.owners.at(-1);
    // The connection of the one before is gone: it has what was sent until now.
    if (before !== undefined && !this.cuts.has(before)) this.cut(before);
    this.term += 1;
    if (isNewSession && before !== undefined) {
      this.stored = undefined;
      this.discord.begin();
    }
    const busy = new Set(this.owners.filter(({ isOver }) => !isOver).map(({ process }) => process));
    const free = isAgain ? this.owners.find(({ process }) => !busy.has(process))?.process : undefined;
    const { session, events } = this.discord;
    const replayed = events.length;
    const whole = this.discord.whole();
    let isTold = this.stored === undefined;
    const owner: Owner = this.makeOwner(free ?? this.makeProcess(), this.stored?.seq ?? 0, () => {
      if (owner.position >= replayed && !isTold) {
        isTold = true;
        const traceId = `t${session}-${replayed}-resumed`;
        return { ...whole, id: `${traceId}-0`, traceId, ts: 1 } as DomainEvent;
      }
      const event = events[owner.position];
      if (event !== undefined) owner.position += 1;
      return event;
    });
    this.owners.push(owner);
  }

  private cut(owner: Owner): void {
    const rest: DomainEvent[] = [];
    for (let event = owner.stream(); event !== undefined; event = owner.stream()) rest.push(event);
    owner.position -= rest.filter(({ id }) => !id.includes('resumed')).length;
    this.cuts.set(owner, rest);
  }

  /** An owner reads the next event from its connection. */
  async receive(who: number): Promise<boolean> {
    const owner = this.owners[who] as Owner;
    const rest = this.cuts.get(owner);
    const event = rest === undefined ? owner.stream() : rest.shift();
    if (event === undefined) return false;
    if (rest !== undefined && !event.id.includes('resumed')) owner.position += 1;
    owner.delivery.deliver(event);
    await settle();
    return true;
  }

  /** An owner's client stores where it is. */
  async save(who: number): Promise<void> {
    const owner = this.owners[who] as Owner;
    // The store's answer is not waited for.
    owner.delivery.sessionStore.save('key', { ...SESSION, seq: owner.position }).catch(() => {});
    await settle();
  }

  /** A step arrives and is answered, arrives and the answer is lost, or is lost. */
  async arrive(n: number, how: 'answered' | 'unanswered' | 'lost'): Promise<void> {
    const [step] = this.steps.splice(n, 1);
    if (how !== 'lost') {
      const done = step?.arrive();
      if (how === 'unanswered') step?.lose();
      await done;
    } else step?.lose();
    await settle();
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await settle();
  }

  /** Nothing goes wrong any more: the last owner takes all there is. */
  async finish(): Promise<void> {
    for (let round = 0; round < 500; round += 1) {
      if (this.owners.at(-1)?.isValid !== true) this.elect(false, true);
      const last = this.owners.length - 1;
      let isBusy = false;
      while (await this.receive(last)) isBusy = true;
      while (this.steps.length > 0) {
        isBusy = true;
        await this.arrive(0, 'answered');
      }
      const owner = this.owners[last] as Owner;
      if (owner.delivery.queued > 0 || !owner.isValid) isBusy = true;
      // It asks Redis every few seconds whether it still is the owner.
      if (!isBusy && owner.history !== this.history && !this.flaws.timeless) owner.end();
      else if (!isBusy) return;
      await this.pass(2_500);
    }
    throw new Error('it does not end');
  }

  /** What readers of a room have seen. */
  async seen(room: string): Promise<{ changes: Change[]; members: string[] }> {
    const first = { epoch: (await this.redis.read(`channel:${room}`)).epoch, seq: 0 };
    const { events, snapshot } = await this.redis.read(`channel:${room}`, first);
    const changes = events.map(({ event, payload }): Change => {
      const { userId } = JSON.parse(payload) as { readonly userId: string };
      return { room, what: event === 'voice.joined' ? 'joined' : 'left', userId };
    });
    const members = snapshot.kind === 'voice' ? snapshot.members.map(({ userId }) => userId).sort() : [];
    return { changes, members };
  }

  async close(): Promise<void> {
    for (const { process, abort } of this.owners) {
      abort.abort();
      await process.hub.close({ drainMs: 0 });
    }
    await this.redis.close();
  }

  /** A step that is refused when its owner is the latest no more by the time that it arrives. */
  private send<T>(owner: Owner, work: () => Promise<T>, isFenced: boolean, room?: string): Promise<T> {
    const { flaws } = this;
    return new Promise<T>((resolve, reject) => {
      this.steps.push({
        lose: () => reject(new Error('no answer')),
        arrive: async () => {
          const latest = flaws.lazy && room !== undefined ? (this.roomTerms.get(room) ?? 0) : this.term;
          if (isFenced && room !== undefined) this.roomTerms.set(room, Math.max(owner.term, latest));
          const isOfBefore = owner.history !== this.history && !flaws.timeless;
          if (isFenced && (owner.term < latest || isOfBefore) && !flaws.unfenced) {
            owner.end();
            reject(new Error('deposed'));
            return;
          }
          await work().then(resolve, reject);
        },
      });
    });
  }

  private makeProcess(): Process {
    const work = new AsyncLocalStorage<Owner>();
    const own = (): Owner => work.getStore() as Owner;
    const publish = (room: string, event: NewRoomEvent) => {
      this.published.push({ room, event });
      return this.redis.publish(room, event);
    };
    const engine: HubEngine = {
      publish: (room, event) => this.send(own(), () => publish(room, event), true, room),
      read: (room, since) => this.send(own(), () => this.redis.read(room, since), false),
      rooms: (group) => this.redis.rooms(group),
      watch: (room, listener) => this.redis.watch(room, listener),
      close: async () => {},
    };
    const { clock } = this;
    const hub = new RealtimeHub({ origins: [], authenticate: () => null, authorize: () => false, engine, clock });
    hub.on('error', () => {});
    return { hub, work };
  }

  private makeOwner(process: Process, position: number, stream: Owner['stream']): Owner {
    const { term, history, clock, flaws } = this;
    const abort = new AbortController();
    const ownership = {
      get isValid() {
        return owner.isValid;
      },
      signal: abort.signal,
    };
    const store: SessionStore = {
      load: async () => this.stored,
      save: (_, session) =>
        this.send(
          owner,
          async () => {
            this.stored = session;
          },
          true,
        ),
      remove: async () => {},
    };
    const options: OwnedDeliveryOptions = {
      ownership,
      store,
      take: async (event) => {
        const outcome = await process.work.run(owner, () => process.hub.publishDiscordEvent(event));
        return flaws.once ? 'published' : outcome;
      },
      told: {
        has: async (id) => !flaws.untold && this.told.has(id),
        add: (id) =>
          this.send(
            owner,
            async () => {
              this.told.add(id);
            },
            true,
          ),
      },
      maxQueued: 1_000,
      onFull: () => {},
      clock,
    };
    const delivery = new OwnedDelivery(options);
    const unordered = {
      queued: 0,
      sessionStore: delivery.sessionStore,
      deliver: (event: DomainEvent) => {
        new OwnedDelivery(options).deliver(event);
      },
    };
    const owner: Owner = {
      term,
      history,
      process,
      delivery: flaws.unordered ? unordered : flaws.unguarded ? { ...pick(delivery), sessionStore: store } : delivery,
      abort,
      stream,
      position,
      isValid: true,
      isOver: false,
      end() {
        owner.isValid = false;
        abort.abort();
        void delivery.drain(0).then(() => {
          owner.isOver = true;
        });
      },
    };
    return owner;
  }
}

/** A delivery whose store is another. */
function pick(delivery: OwnedDelivery): Pick<OwnedDelivery, 'deliver' | 'queued'> {
  return {
    deliver: (event) => delivery.deliver(event),
    get queued() {
      return delivery.queued;
    },
  };
}
