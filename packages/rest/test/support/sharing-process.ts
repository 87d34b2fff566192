/**
 * A process of its own that makes requests as soon as it is told to, and says when they are done.
 * Arguments: a JSON of `{ connection, shared, requests }`.
 */
import { DiscordRestClient } from '@guildkit/rest';
import { parentStore } from './ipc-store.js';

interface Arguments {
  readonly connection: { readonly token: string; readonly apiBase: string };
  /** Whether it shares its limits. */
  readonly shared: boolean;
  readonly requests: number;
}

const { connection, shared, requests } = JSON.parse(process.argv[2] ?? '{}') as Arguments;
const rest = new DiscordRestClient({ ...connection, rateLimitStore: shared ? parentStore() : undefined });

async function work(): Promise<void> {
  const all = Array.from({ length: requests }, () => rest.request('GET', '/gateway'));
  const failed = (await Promise.allSettled(all)).filter(({ status }) => status === 'rejected').length;
  await rest.close();
  process.send?.({ done: { failed } }, () => process.exit());
}

process.on('message', (message) => {
  if (message === 'go') void work();
});
process.send?.({ ready: true });
