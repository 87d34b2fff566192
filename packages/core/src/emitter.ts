/**
 * Owns the suite's event emitter: eventemitter3 with a listener's exception kept from the emitter's own work.
 */
import { EventEmitter } from 'eventemitter3';

/** Removes the listener it came with. Calling it again does nothing. */
export type Unsubscribe = () => void;

/** One object argument per event. */
export type EventMap = object;

type Listeners<Events extends EventMap> = { [K in keyof Events]: (event: Events[K]) => void };

/**
 * Base of the suite's public classes. A missing `error` listener never crashes. A listener that throws is
 * handed to {@link onListenerError}; the other listeners and the sender go on.
 */
export class TypedEmitter<Events extends EventMap> extends EventEmitter<Listeners<Events>> {
  /** Calls every listener of an event, in the order they were added. */
  protected emitEvent<K extends keyof Events & (string | symbol)>(name: K, event: Events[K]): void {
    for (const listener of this.listeners(name as never) as ((event: Events[K]) => void)[]) {
      try {
        listener.call(this, event);
      } catch (error) {
        this.onListenerError(error, String(name));
      }
    }
  }

  /** What becomes of a listener's exception: by default it is thrown in a microtask of its own. */
  protected onListenerError(error: unknown, _event: string): void {
    void Promise.resolve().then(() => {
      throw error;
    });
  }
}
