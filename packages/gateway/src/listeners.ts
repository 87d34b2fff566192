/** Owns listeners by name, outside the emitter's own events. */
import type { Unsubscribe } from '@guildkit/core';

type Listener<Data, More> = (data: Data, more: More) => void;

/** Listeners by name. Each is shielded from the others' exceptions. `More` is for a second argument. */
export class ListenerTable<Data, More = void> {
  /** The arrays are replaced, never changed: a call under way keeps its own. */
  private readonly byName = new Map<string, readonly Listener<Data, More>[]>();
  private changes = 0;

  /** @param onChange Told when other names are listened to, or other functions. */
  constructor(
    private readonly onFailure: (error: unknown, name: string) => void,
    private readonly onChange: () => void = () => {},
  ) {}

  /**
   * The same function added twice is called once, as with event targets.
   *
   * @throws TypeError when it is no function.
   */
  add(name: string, listener: Listener<Data, More>): Unsubscribe {
    if (typeof listener !== 'function') throw new TypeError(`The listener of "${name}" must be a function`);
    if (!this.includes(name, listener)) this.replace(name, [...(this.byName.get(name) ?? []), listener]);
    return () => {
      if (!this.includes(name, listener)) return;
      this.replace(name, this.byName.get(name)?.filter((other) => other !== listener) ?? []);
    };
  }

  has(name: string): boolean {
    return this.byName.has(name);
  }

  /** Those added meanwhile count from the next call on, those removed no more. */
  call(name: string, data: Data, more: More): void {
    const listeners = this.byName.get(name);
    if (listeners === undefined) return;
    const { changes } = this;
    for (const listener of listeners) {
      if (changes !== this.changes && !this.includes(name, listener)) continue;
      try {
        listener(data, more);
      } catch (error) {
        this.onFailure(error, name);
      }
    }
  }

  private includes(name: string, listener: Listener<Data, More>): boolean {
    return this.byName.get(name)?.includes(listener) ?? false;
  }

  private replace(name: string, listeners: readonly Listener<Data, More>[]): void {
    if (listeners.length === 0) this.byName.delete(name);
    else this.byName.set(name, listeners);
    this.changes += 1;
    this.onChange();
  }
}
