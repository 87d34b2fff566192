/** Tabs of one browser in memory: channels that deliver later, locks that go with their page. */
import type { TabChannel, TabPlatform } from '@guildkit/realtime-client';

export interface TestPage extends TabPlatform {
  /** The page is gone, without a word: its locks are free, its channel is deaf and dumb. */
  kill(): void;
}

async function later(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await undefined;
}

/** Makes pages that find each other. */
export function createTestBrowser(): { openPage(): TestPage } {
  const channels = new Set<{ name: string; page: object; channel: TabChannel }>();
  const queues = new Map<
    string,
    { page: object; grant: () => Promise<void> | void; signal: AbortSignal | undefined }[]
  >();
  const holders = new Map<string, object>();
  const dead = new Set<object>();

  function next(name: string): void {
    if (holders.has(name)) return;
    const waiting = queues.get(name) ?? [];
    const first = waiting.shift();
    if (first === undefined) return;
    if (dead.has(first.page) || first.signal?.aborted) {
      next(name);
      return;
    }
    holders.set(name, first);
    const free = (): void => {
      if (holders.get(name) !== first) return;
      holders.delete(name);
      next(name);
    };
    void Promise.resolve(first.grant()).then(free, free);
  }

  return {
    openPage() {
      const page = {};
      return {
        locks: {
          request: (name, { signal }, grant) =>
            new Promise((resolve, reject) => {
              signal?.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
              const entry = { page, grant: () => Promise.resolve(grant()).then(resolve), signal };
              // As in a browser: later than a message between tabs.
              void later(8).then(() => {
                queues.set(name, [...(queues.get(name) ?? []), entry]);
                next(name);
              });
            }),
        },
        openChannel(name) {
          const channel: TabChannel = {
            onmessage: null,
            postMessage(message) {
              if (dead.has(page)) return;
              const data = structuredClone(message);
              for (const other of channels) {
                if (other.name !== name || other.page === page) continue;
                queueMicrotask(
                  () => channels.has(other) && !dead.has(other.page) && other.channel.onmessage?.({ data }),
                );
              }
            },
            close: () => void channels.delete(entry),
          };
          const entry = { name, page, channel };
          channels.add(entry);
          return channel;
        },
        kill() {
          dead.add(page);
          for (const [name, holder] of holders) {
            if ((holder as { page: object }).page !== page) continue;
            holders.delete(name);
            next(name);
          }
        },
      };
    },
  };
}
