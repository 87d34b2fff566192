/**
 * A process of its own that makes requests as soon as it is told to, and says when they are done.
 * Arguments: a JSON of `{ connection, socket, requests }`; without a socket it keeps its limits to itself.
 */
import { redisRateLimitStore } from '@guildkit/redis';
import { DiscordRestClient } from '@guildkit/rest';
import { createClient } from 'redis';

interface Arguments {
  readonly connection: { readonly token: string; readonly apiBase: string };
  readonly socket?: string;
  readonly requests: number;
}

const { connection, socket, requests } = JSON.parse(process.argv[2] ?? '{}') as Arguments;

async function main(): Promise<void> {
  const client = socket === undefined ? undefined : createClient({ socket: { path: socket, tls: false } });
  await client?.connect();
  const rateLimitStore = client === undefined ? undefined : redisRateLimitStore({ client });
  const rest = new DiscordRestClient({ ...connection, rateLimitStore });
  process.on('message', () => {
    const all = Array.from({ length: requests }, () => rest.request('GET', '/gateway'));
    void Promise.allSettled(all).then(async (results) => {
      await rest.close();
      await client?.close();
      const failed = results.filter(({ status }) => status === 'rejected').length;
      process.send?.({ failed }, () => process.exit());
    });
  });
  process.send?.('ready');
}

void main();
