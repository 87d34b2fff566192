/**
 * Owns the way of an owner's events into the rooms: in order for each guild, each until it was taken, and the place in
 * Discord's stream stored only up to what was. So whoever resumes the session is told everything that is not in the
 * rooms, in the same order, under the same ids.
 */
import { setImmediate } from 'node:timers/promises';
import type { Clock, DomainEvent } from '@guildkit/core';
import type { SessionStore, StoredSession } from '@guildkit/gateway';

/** What a delivery needs. */
export interface OwnedDeliveryOptions {
  readonly ownership: { readonly isValid: boolean; readonly signal: AbortSignal };
  readonly store: SessionStore;
  /** Takes an event. `'failed'` or a rejection: it is tried again. */
  readonly take: (event: DomainEvent) => Promise<unknown>;
  /** Remembers, for all processes, which events were taken whose meaning depends on the rooms' states. */
  readonly told: { has(eventId: string): Promise<boolean>; add(eventId: string): Promise<void> };
  readonly maxQueued: number;
  /** More wait than may. What is not taken comes again to the next owner. */
  readonly onFull: () => void;
  readonly clock: Clock;
}

const RETRY_MS = { first: 50, last: 2_000 } as const;

/** A session that may be stored once these events were taken. */
interface HeldSave {
  readonly session: StoredSession;
  readonly untaken: Set<number>;
}

/** Carries the events of one ownership. */
export class OwnedDelivery {
  /** For the gateway client: never ahead of what was taken. */
  readonly sessionStore: SessionStore;
  private readonly options: OwnedDeliveryOptions;
  /** The tail of each guild's queue. */
  private readonly tails = new Map<string, Promise<void>>();
  private readonly untaken = new Set<number>();
  /** By key: the save that waits longest, and the newest. Others between them are not worth a write. */
  private readonly held = new Map<string, { first: HeldSave; last?: HeldSave }>();
  private readonly pauses = new Set<() => void>();
  private numbers = 0;
  private isStopped = false;
  private writing: Promise<unknown> = Promise.resolve();

  constructor(options: OwnedDeliveryOptions) {
    this.options = options;
    const { store } = options;
    this.sessionStore = {
      identifyBudgets: store.identifyBudgets,
      load: (key) => store.load(key),
      save: (key, session) => this.save(key, session),
      remove: (key) => {
        this.held.delete(key);
        return this.write(() => store.remove(key));
      },
    };
  }

  /** Events that wait. */
  get queued(): number {
    return this.untaken.size;
  }

  /** Takes an event on its way. */
  deliver(event: DomainEvent): void {
    this.numbers += 1;
    const number = this.numbers;
    this.untaken.add(number);
    const { payload } = event;
    const queue = payload.guildId ?? ('channelId' in payload ? `channel ${payload.channelId}` : '');
    const tail = (this.tails.get(queue) ?? Promise.resolve()).then(async () => {
      if (await this.carry(event)) this.taken(number);
    });
    this.tails.set(queue, tail);
    void tail.then(() => {
      if (this.tails.get(queue) === tail) this.tails.delete(queue);
    });
    if (this.untaken.size === this.options.maxQueued + 1) this.options.onFull();
  }

  /**
   * Resolves when everything was taken and stored, when it will never be, or after that time; not while an event is being
   * taken: by the next owner it must not be met half-way.
   */
  async drain(ms: number): Promise<void> {
    const { clock } = this.options;
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = clock.setTimer(resolve, ms);
    });
    await Promise.race([this.settled(), late]);
    clock.clearTimer(timer);
    this.isStopped = true;
    for (const end of this.pauses) end();
    await Promise.all(this.tails.values());
  }

  private async settled(): Promise<void> {
    await Promise.all(this.tails.values());
    // A save that was asked for last is behind one turn of the event loop.
    await setImmediate();
    await this.writing;
  }

  /** Whether it was taken; `false` when it never will be by this owner. */
  private async carry(event: DomainEvent): Promise<boolean> {
    const { ownership } = this.options;
    for (let waitMs: number = RETRY_MS.first; ; waitMs = Math.min(2 * waitMs, RETRY_MS.last)) {
      // A process that has slept may hear in a moment that its lease holds, or that it does not.
      if (!this.isStopped && ownership.isValid && (await this.take(event))) return true;
      if (this.isStopped || (ownership.signal.aborted && !ownership.isValid)) return false;
      await this.pause(waitMs);
    }
  }

  private async take(event: DomainEvent): Promise<boolean> {
    const { take, told } = this.options;
    try {
      const isOnce = dependsOnRooms(event);
      if (isOnce && (await told.has(event.id))) return true;
      if ((await take(event)) === 'failed') return false;
      if (isOnce) await told.add(event.id);
      return true;
    } catch {
      return false;
    }
  }

  private pause(ms: number): Promise<void> {
    const { clock, ownership } = this.options;
    return new Promise((resolve) => {
      const end = (): void => {
        clock.clearTimer(timer);
        ownership.signal.removeEventListener('abort', end);
        this.pauses.delete(end);
        resolve();
      };
      const timer = clock.setTimer(end, ms);
      ownership.signal.addEventListener('abort', end, { once: true });
      this.pauses.add(end);
    });
  }

  private async save(key: string, session: StoredSession): Promise<void> {
    // The event that made the client save may be told only after this call.
    await setImmediate();
    if (this.untaken.size === 0) {
      this.held.delete(key);
      await this.write(() => this.options.store.save(key, session));
      return;
    }
    const entry = { session, untaken: new Set(this.untaken) };
    const waiting = this.held.get(key);
    if (waiting === undefined) this.held.set(key, { first: entry });
    else waiting.last = entry;
  }

  private taken(number: number): void {
    this.untaken.delete(number);
    for (const [key, { first, last }] of this.held) {
      first.untaken.delete(number);
      last?.untaken.delete(number);
      this.release(key);
    }
  }

  private release(key: string): void {
    const waiting = this.held.get(key);
    if (waiting === undefined || waiting.first.untaken.size > 0) return;
    const { first, last } = waiting;
    if (last === undefined) this.held.delete(key);
    else this.held.set(key, { first: last });
    // Nobody waits for this one: the next save says the same, and more.
    this.write(() => this.options.store.save(key, first.session)).catch(() => {});
    this.release(key);
  }

  /** One write after the other; none once the ownership is over. */
  private write(action: () => Promise<void>): Promise<void> {
    const done = this.writing.then(() => (this.options.ownership.isValid ? action() : undefined));
    this.writing = done.catch(() => {});
    return done;
  }
}

/**
 * What such an event does depends on what the rooms say. Told again after later events it would put people back where
 * they no longer are, and those later events, known by their ids, would not bring them back.
 */
function dependsOnRooms(event: DomainEvent): boolean {
  return event.event === 'voice.snapshot' || (event.event === 'voice.left' && event.payload.channelId === null);
}
