/**
 * Owns when the place in Discord's event stream may be stored: not before the app has taken every event up to it. So a
 * worker that is killed with events in its hands is told them again by Discord.
 */
import { setImmediate } from 'node:timers/promises';
import type { SessionStore, StoredSession } from '@guildkit/gateway';

/** A session that is stored once these events were taken. */
interface Held {
  readonly session: StoredSession;
  readonly untaken: Set<string>;
}

/** A session store that never runs ahead of the app. */
export interface GuardedSessions extends SessionStore {
  /** An event is on its way to the app. */
  sent(eventId: string): void;
  /** It was taken, or never will be. */
  taken(eventId: string): void;
  /** Resolves when what may be stored is stored. */
  flush(): Promise<void>;
}

/**
 * @param onFailure Told when the store fails after it was asked: nobody waits for that answer any more.
 */
export function guardSessions(store: SessionStore, onFailure: (error: unknown) => void): GuardedSessions {
  const underWay = new Set<string>();
  /** By key: the one that waits, and the newest behind it. Others between them are not worth a write. */
  const held = new Map<string, { first: Held; next?: Held }>();
  let writing: Promise<void> = Promise.resolve();

  const write = (action: () => Promise<void>): Promise<void> => {
    const done = writing.then(action);
    writing = done.catch(onFailure);
    return done;
  };

  function hold(key: string, entry: Held): void {
    const waiting = held.get(key);
    if (waiting === undefined) held.set(key, { first: entry });
    else waiting.next = entry;
  }

  function release(key: string): void {
    const waiting = held.get(key);
    if (waiting === undefined || waiting.first.untaken.size > 0) return;
    const { first, next } = waiting;
    if (next === undefined) held.delete(key);
    else held.set(key, { first: next });
    void write(() => store.save(key, first.session));
    release(key);
  }

  return {
    identifyBudgets: store.identifyBudgets,
    load: (key) => store.load(key),
    async save(key, session) {
      // The event that made the client save may be told only after this call.
      await setImmediate();
      if (underWay.size > 0) {
        hold(key, { session, untaken: new Set(underWay) });
        return;
      }
      held.delete(key);
      await write(() => store.save(key, session));
    },
    async remove(key) {
      held.delete(key);
      await write(() => store.remove(key));
    },
    sent(eventId) {
      underWay.add(eventId);
    },
    taken(eventId) {
      if (!underWay.delete(eventId)) return;
      for (const [key, { first, next }] of held) {
        first.untaken.delete(eventId);
        next?.untaken.delete(eventId);
        release(key);
      }
    },
    flush: () => writing,
  };
}
