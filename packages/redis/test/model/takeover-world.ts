/**
 * One gateway session and the processes that carry it on, one after the other, some longer than they should: real hubs and
 * real deliveries over an engine whose every step is on its way until the schedule lets it arrive. Owners are elected at
 * any moment: what holds must not depend on when.
 */
import { setImmediate } from 'node:timers/promises';
import type { DomainEvent } from '@guildkit/core';
import type { SessionStore, StoredSession } from '@guildkit/gateway';
import { type HubEngine, memoryEngine, RealtimeHub } from '@guildkit/server-kit/hub';
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

interface Owner {
  readonly term: number;
  readonly delivery: Pick<OwnedDelivery, 'deliver' | 'sessionStore' | 'queued'>;
  readonly hub: RealtimeHub;
  readonly abort: AbortController;
  /** What its connection brings, as long as it does. */
  readonly stream: () => DomainEvent | undefined;
  readonly session: number;
  position: number;
  isValid: boolean;
}

export class TakeoverWorld {
  readonly discord = new Discord();
  readonly owners: Owner[] = [];
  /** What is on its way to Redis. */
  readonly steps: Step[] = [];
  private readonly clock = createVirtualClock();
  private readonly redis: HubEngine;
  private readonly flaws: Flaws;
  private readonly told = new Set<string>();
  private readonly roomTerms = new Map<string, number>();
  /** What connections that are gone had received. */
  private readonly cuts = new Map<Owner, DomainEvent[]>();
  private stored: StoredSession | undefined;
  private term = 0;

  constructor(flaws: Flaws = {}) {
    this.flaws = flaws;
    this.redis = memoryEngine(flaws.idless ? { maxIds: 0 } : {});
  }

  /** Another owner: resumes what is stored, or begins anew. The one before goes on as long as nothing tells it. */
  async elect(isNewSession: boolean): Promise<void> {
    const before = this.owners.at(-1);
    // The connection of the one before is gone: it has what was sent until now.
    if (before !== undefined) this.cut(before);
    this.term += 1;
    if (isNewSession && before !== undefined) {
      this.stored = undefined;
      this.discord.begin();
    }
    const session = this.discord.session;
    const position = this.stored?.seq ?? 0;
    const replayed = this.discord.events.length;
    const whole = this.discord.whole();
    const { events } = this.discord;
    const isResumed = this.stored !== undefined;
    let isTold = !isResumed;
    const owner: Owner = this.makeOwner(session, position, () => {
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
    const last = this.owners.length - 1;
    for (let round = 0; round < 500; round += 1) {
      let isBusy = false;
      while (await this.receive(last)) isBusy = true;
      while (this.steps.length > 0) {
        isBusy = true;
        await this.arrive(0, 'answered');
      }
      if ((this.owners[last]?.delivery.queued ?? 0) > 0) isBusy = true;
      if (!isBusy) return;
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
    for (const { hub, abort } of this.owners) {
      abort.abort();
      await hub.close({ drainMs: 0 });
    }
    await this.redis.close();
  }

  private makeOwner(session: number, position: number, stream: Owner['stream']): Owner {
    const { term, clock, flaws } = this;
    const abort = new AbortController();
    const ownership = {
      get isValid() {
        return owner.isValid;
      },
      signal: abort.signal,
    };
    /** A step that is refused when another was elected before it arrives. */
    const send = <T>(work: () => Promise<T>, isFenced: boolean, room?: string): Promise<T> =>
      new Promise<T>((resolve, reject) => {
        this.steps.push({
          lose: () => reject(new Error('no answer')),
          arrive: async () => {
            const latest = flaws.lazy && room !== undefined ? (this.roomTerms.get(room) ?? 0) : this.term;
            if (isFenced && room !== undefined) this.roomTerms.set(room, Math.max(term, latest));
            if (isFenced && term < latest && !flaws.unfenced) {
              owner.isValid = false;
              abort.abort();
              reject(new Error('deposed'));
              return;
            }
            await work().then(resolve, reject);
          },
        });
      });
    const engine: HubEngine = {
      publish: (room, event) => send(() => this.redis.publish(room, event), true, room),
      read: (room, since) => send(() => this.redis.read(room, since), false),
      rooms: (group) => this.redis.rooms(group),
      watch: (room, listener) => this.redis.watch(room, listener),
      close: async () => {},
    };
    const hub = new RealtimeHub({ origins: [], authenticate: () => null, authorize: () => false, engine, clock });
    hub.on('error', () => {});
    const store: SessionStore = {
      load: async () => this.stored,
      save: (_, session) =>
        send(async () => {
          this.stored = session;
        }, true),
      remove: async () => {},
    };
    const options: OwnedDeliveryOptions = {
      ownership,
      store,
      take: async (event) => {
        const outcome = await hub.publishDiscordEvent(event);
        return flaws.once ? 'published' : outcome;
      },
      told: {
        has: async (id) => !flaws.untold && this.told.has(id),
        add: (id) =>
          send(async () => {
            this.told.add(id);
          }, true),
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
      delivery: flaws.unordered ? unordered : flaws.unguarded ? { ...pick(delivery), sessionStore: store } : delivery,
      hub,
      abort,
      stream,
      session,
      position,
      isValid: true,
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
