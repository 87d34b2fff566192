/**
 * Owns the suite's event emitter: eventemitter3 with a listener's exception kept from the emitter's own work.
 */
import { EventEmitter } from 'eventemitter3';

/** Removes the listener it came with. Calling it again does nothing. */
export type Unsubscribe = () => void;

/** One object argument per event. */
export type EventMap = object;

type Listeners<Events extends EventMap> = { [K in keyof Events]: (event: Events[K]) => void };
type Names<Events extends EventMap> = EventEmitter.EventNames<Listeners<Events>>;
type Listener<Events extends EventMap, K extends Names<Events>> = EventEmitter.EventListener<Listeners<Events>, K>;
type Args<Events extends EventMap, K extends Names<Events>> = EventEmitter.EventArgs<Listeners<Events>, K>;

/**
 * Base of the suite's public classes. A missing `error` listener never crashes. A listener that throws is
 * handed to {@link onListenerError}; the other listeners and the sender go on.
 */
export class TypedEmitter<Events extends EventMap> extends EventEmitter<Listeners<Events>> {
  /** Events that had a one-time listener: only for them does an emit pay for looking. */
  private readonly onceNames = new Set<unknown>();

  /** Adds a listener. It is called with the emitter as `this`. */
  override on<K extends Names<Events>>(name: K, listener: Listener<Events, K>): this {
    return super.on(name, listener);
  }

  /** Adds a listener that is removed before its first call. */
  override once<K extends Names<Events>>(name: K, listener: Listener<Events, K>): this {
    this.onceNames.add(name);
    return super.once(name, listener);
  }

  /**
   * Calls every listener of an event, in the order they were added. Those added or removed meanwhile count from
   * the next event on.
   *
   * @returns Whether there was a listener.
   */
  override emit<K extends Names<Events>>(name: K, ...args: Args<Events, K>): boolean {
    const listeners = this.listeners(name);
    const mayBeOnce = this.onceNames.has(name);
    for (const listener of listeners) {
      if (mayBeOnce) this.removeListener(name, listener, undefined, true);
      try {
        (listener as (...args: readonly unknown[]) => void).apply(this, args);
      } catch (error) {
        this.onListenerError(error, String(name));
      }
    }
    return listeners.length > 0;
  }

  /** As {@link emit}, with the types of the event map itself: for subclasses that are generic in it. */
  protected emitEvent<K extends keyof Events & (string | symbol)>(name: K, event: Events[K]): void {
    this.emit(name as unknown as Names<Events>, ...([event] as unknown as Args<Events, Names<Events>>));
  }

  /** What becomes of a listener's exception: by default it is thrown in a microtask of its own. */
  protected onListenerError(error: unknown, _event: string): void {
    void Promise.resolve().then(() => {
      throw error;
    });
  }
}
