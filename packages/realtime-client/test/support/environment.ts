/** A page that a test turns on and off. */
import type { Environment, EnvironmentSignal } from '@guildkit/realtime-client';

export interface TestEnvironment extends Environment {
  readonly watchers: number;
  signal(signal: EnvironmentSignal): void;
}

export function createTestEnvironment(startsOffline = false): TestEnvironment {
  const listeners = new Set<(signal: EnvironmentSignal) => void>();
  return {
    get watchers() {
      return listeners.size;
    },
    signal(signal) {
      for (const listener of [...listeners]) listener(signal);
    },
    watch(listener) {
      listeners.add(listener);
      if (startsOffline) listener('offline');
      return () => listeners.delete(listener);
    },
  };
}
