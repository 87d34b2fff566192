/**
 * Owns when the place in Discord's event stream may be stored: not before the app has taken every event up to it. So a
 * process that is killed with events in its hands is told them again by Discord. Refuses to know what taking means.
 */
import { type Clock, systemClock } from '@guildkit/core';
import type { SessionStore, StoredSession } from './session-store.js';

/** Settings of {@link guardedSessionStore}. */
export interface GuardedSessionStoreOptions {
  /** Where sessions are kept. */
  readonly store: SessionStore;
  /** Told of a write that failed after it had been put off: nobody waits for its answer any more. */
  readonly onError?: ((error: unknown) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** A session store that never runs ahead of the app. */
export interface GuardedSessionStore extends SessionStore {
  /** An event is in the app's hands, by its id. Call it in the listener, before anything is waited for. */
  sent(eventId: string): void;
  /** It was taken, or never will be. An unknown id is ignored. */
  taken(eventId: string): void;
  /** Resolves when what may be stored is stored. */
  flush(): Promise<void>;
}

/** A session that is stored once these events were taken. */
interface Held {
  readonly session: StoredSession;
  readonly untaken: Set<string>;
}

/**
 * Puts off the saves of a store until every event before them was taken. Give it to the client, and tell it of each event.
 *
 * @example
 * ```ts no-check
 * const sessions = guardedSessionStore({ store: fileSessionStore({ directory: './state' }) });
 * const gateway = new DiscordGatewayClient({ token, intents, sessionStore: sessions });
 * gateway.onEvent('*', (event) => {
 *   sessions.sent(event.id);
 *   void deliver(event).then(() => sessions.taken(event.id));
 * });
 * ```
 */
export function guardedSessionStore({
  store,
  onError = () => {},
  clock = systemClock,
}: GuardedSessionStoreOptions): GuardedSessionStore {
  const underWay = new Set<string>();
  /** By key: the one that waits, and the newest behind it. Others between them are not worth a write. */
  const held = new Map<string, { first: Held; next?: Held }>();
  let writing: Promise<void> = Promise.resolve();

  const write = (action: () => Promise<void>): Promise<void> => {
    const done = writing.then(action);
    writing = done.catch(onError);
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
    // Its failure is told by `write`.
    write(() => store.save(key, first.session)).catch(() => {});
    release(key);
  }

  return {
    identifyBudgets: store.identifyBudgets,
    load: (key) => store.load(key),
    async save(key, session) {
      // The event that made the client save may be told only after this call.
      await new Promise<void>((resolve) => clock.setTimer(resolve, 0));
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
