/** Owns listeners by name, outside the emitter's own events. */
import type { Unsubscribe } from '@guildkit/core';

/** Listeners by name. Each is shielded from the others' exceptions. */
export class ListenerTable<Args extends readonly unknown[]> {
  private readonly byName = new Map<string, Set<(...args: Args) => void>>();

  constructor(private readonly onFailure: (error: unknown, name: string) => void) {}

  /**
   * The same function added twice is called once, as with event targets.
   *
   * @throws TypeError when it is no function.
   */
  add(name: string, listener: (...args: Args) => void): Unsubscribe {
    if (typeof listener !== 'function') throw new TypeError(`The listener of "${name}" must be a function`);
    const listeners = this.byName.get(name) ?? new Set();
    this.byName.set(name, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.byName.get(name) === listeners) this.byName.delete(name);
    };
  }

  has(name: string): boolean {
    return this.byName.has(name);
  }

  /** Those added meanwhile count from the next call on, those removed no more. */
  call(name: string, ...args: Args): void {
    const listeners = this.byName.get(name);
    if (listeners === undefined) return;
    for (const listener of [...listeners]) {
      if (!listeners.has(listener)) continue;
      try {
        listener(...args);
      } catch (error) {
        this.onFailure(error, name);
      }
    }
  }
}
