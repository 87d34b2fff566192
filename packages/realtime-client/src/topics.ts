/** Owns who listens to what. Refuses to let one listener stop another. */
import type { Unsubscribe } from '@guildkit/core';

/** Called with whatever is told to its topic. */
export type Listener = (...args: never[]) => void;

/** Listeners by topic. */
export interface Topics {
  /** Adds a listener. */
  on(topic: string, listener: Listener): Unsubscribe;
  /** Calls the topic's listeners. One that throws stops nobody: its exception surfaces by itself. */
  tell(topic: string, ...args: unknown[]): void;
  /** Removes every listener. */
  clear(): void;
}

/** Makes an empty list of listeners. */
export function createTopics(): Topics {
  const entries = new Set<readonly [topic: string, listener: Listener]>();
  return {
    on(...entry) {
      entries.add(entry);
      return () => void entries.delete(entry);
    },
    tell(topic, ...args) {
      for (const [of, listener] of [...entries]) {
        if (of !== topic) continue;
        try {
          listener(...(args as never[]));
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
    clear: () => entries.clear(),
  };
}
